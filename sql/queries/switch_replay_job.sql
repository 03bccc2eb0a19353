-- name: switch_replay_job
-- purpose: Pause, resume or cancel a job that has not ended; no row when it has.
UPDATE replay_jobs SET status = %(status)s, updated_at = now()
WHERE job_id = %(job_id)s AND status IN ('running', 'paused')
RETURNING job_id
