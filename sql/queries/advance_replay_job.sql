-- name: advance_replay_job
-- purpose: Move a job's cursor past what was acknowledged or given up; end it when nothing remains.
UPDATE replay_jobs
SET
    replayed = replayed + %(replayed)s,
    cursor = coalesce(%(cursor)s::uuid, cursor),
    status = CASE WHEN %(ended)s THEN 'completed' ELSE status END,
    -- At the end, rows that got their outcome meanwhile are what the plan had and the job did not need.
    skipped = CASE WHEN %(ended)s THEN total - replayed - %(replayed)s ELSE skipped + %(skipped)s END,
    updated_at = now()
WHERE job_id = %(job_id)s
