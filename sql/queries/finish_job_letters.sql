-- name: finish_job_letters
-- purpose: Mark what a job published again; quarantine is no end for what a person ordered, a new failure is.
UPDATE dead_letters AS d
SET status = 'replayed', next_attempt_at = NULL, updated_at = now()
FROM unnest(%(ids)b::uuid[], %(attempts)b::int[]) AS taken (dlq_id, attempts)
WHERE d.dlq_id = taken.dlq_id AND d.attempts = taken.attempts
