-- name: create_replay_job
-- purpose: Start a job; the same idempotency key gives the job that it gave before.
INSERT INTO replay_jobs (idempotency_key, plan, filter, requested_by, reason, rate, total)
VALUES (%(key)s, %(plan)s, %(filter)s::jsonb, %(requested_by)s, %(reason)s, %(rate)s, %(total)s)
ON CONFLICT (requested_by, idempotency_key) DO UPDATE SET idempotency_key = excluded.idempotency_key
RETURNING job_id, plan, rate
