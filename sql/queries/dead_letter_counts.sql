-- name: dead_letter_counts
-- purpose: How many dead letters are in each status, by class of their last failure, and since when the oldest.
SELECT status, failure_class, count(*) AS letters, min(first_failed_at) AS oldest_failure_at
FROM dead_letters
GROUP BY status, failure_class
