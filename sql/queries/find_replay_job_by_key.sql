-- name: find_replay_job_by_key
-- purpose: The job that an idempotency key gave before.
SELECT job_id, plan, rate FROM replay_jobs WHERE requested_by = %(requested_by)s AND idempotency_key = %(key)s
