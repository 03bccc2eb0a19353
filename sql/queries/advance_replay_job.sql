-- name: advance_replay_job
-- purpose: Move a job's cursor after the broker acknowledged; end it when nothing remains.
UPDATE replay_jobs
SET
    replayed = replayed + %(replayed)s,
    cursor = coalesce(%(cursor)s::uuid, cursor),
    status = CASE WHEN %(ended)s THEN 'completed' ELSE status END,
    -- Rows that got their outcome meanwhile are what the plan had and the job did not need.
    skipped = CASE WHEN %(ended)s THEN total - replayed - %(replayed)s ELSE skipped END,
    updated_at = now()
WHERE job_id = %(job_id)s
