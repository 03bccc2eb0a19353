-- name: record_audit_run
-- purpose: Remember what an audit found that ends now.
SELECT record_audit_run(%(took)s, %(audited)s, %(missing)s, %(violations)s)
