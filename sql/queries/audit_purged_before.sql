-- name: audit_purged_before
-- purpose: Up to which time of arrival signals may have been purged; no row when none were.
SELECT purged_before FROM purge_marks WHERE table_name = 'signals'
