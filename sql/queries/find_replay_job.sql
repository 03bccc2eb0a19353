-- name: find_replay_job
-- purpose: One job: what was asked, by whom, and how far it is.
SELECT job_id, status, plan, filter, requested_by, reason, rate, total, replayed, skipped, created_at, updated_at
FROM replay_jobs
WHERE job_id = %(job_id)s
