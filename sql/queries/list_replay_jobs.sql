-- name: list_replay_jobs
-- purpose: The newest jobs of a person, or of all: what was asked, by whom, and how far each is.
SELECT job_id, status, plan, filter, requested_by, reason, rate, total, replayed, skipped, created_at, updated_at
FROM replay_jobs
WHERE %(requested_by)s::text IS NULL OR requested_by = %(requested_by)s
ORDER BY created_at DESC, job_id
LIMIT %(limit)s
