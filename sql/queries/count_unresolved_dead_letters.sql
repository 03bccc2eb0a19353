-- name: count_unresolved_dead_letters
-- purpose: How many dead letters wait for their next attempt: the table's part of dlq_queue_size.
SELECT count(*) FROM dead_letters WHERE status = 'scheduled'
