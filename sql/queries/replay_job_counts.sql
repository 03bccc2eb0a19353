-- name: replay_job_counts
-- purpose: How many replay jobs are in each state.
SELECT status, count(*) AS jobs
FROM replay_jobs
GROUP BY status
