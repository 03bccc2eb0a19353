-- name: dead_letter_stats
-- purpose: Dead letters by what happened to them and why, for the recovery statistics.
SELECT status, failure_class, code, letters, most_attempts, oldest_failure_at, newest_failure_at, next_attempt_at
FROM dead_letter_summary
ORDER BY status, letters DESC, failure_class, code
