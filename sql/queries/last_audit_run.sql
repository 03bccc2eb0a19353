-- name: last_audit_run
-- purpose: The newest audit; no row before the first.
SELECT started_at, finished_at, audited, missing, violations, ok
FROM audit_runs
ORDER BY run_id DESC
LIMIT 1
