-- name: finish_job_letters
-- purpose: Mark what a job published again; quarantine is no end for what a person ordered.
UPDATE dead_letters SET status = 'replayed', next_attempt_at = NULL, updated_at = now()
WHERE dlq_id = any(%(ids)b::uuid[])
