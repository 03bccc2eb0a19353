-- name: index_usage
-- purpose: How often each index is used and what it costs, largest first within its table.
SELECT table_name, index_name, scans, entries_read, index_bytes, backs_constraint, unused
FROM index_usage_stats
ORDER BY table_name, index_bytes DESC, index_name
