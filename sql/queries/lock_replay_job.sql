-- name: lock_replay_job
-- purpose: The running job, held for one step: of two replicas one works, the other finds none.
SELECT job_id, filter, total - replayed - skipped AS remaining, cursor, created_at, rate
FROM replay_jobs
WHERE status = 'running'
ORDER BY created_at
LIMIT 1
FOR UPDATE SKIP LOCKED
