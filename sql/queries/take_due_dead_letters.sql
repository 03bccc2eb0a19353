-- name: take_due_dead_letters
-- purpose: Take dead letters that are due and lease them; two takers never get the same one.
-- A taker that dies leaves the lease to run out: then the row is due again, and its attempts are unchanged.
WITH due AS (
    SELECT dlq_id
    FROM dead_letters
    WHERE status = 'scheduled' AND next_attempt_at <= %(now)s
    ORDER BY next_attempt_at, dlq_id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE dead_letters AS d
SET next_attempt_at = %(leased_until)s, updated_at = now()
FROM due
WHERE d.dlq_id = due.dlq_id
RETURNING
    d.dlq_id, d.original_topic, d.record_key, d.record_value, d.record_headers, d.sha256, d.signal_id,
    d.consumer_group, d.failure_class, d.attempts, d.traceparent, d.first_failed_at
