-- name: settle_dead_letters
-- purpose: Move scheduled dead letters to a final status, unless they have failed again since they were taken.
-- A record that was published again may fail before it is marked: then its row counts one more attempt, is due again,
-- and stays so.
UPDATE dead_letters AS d
SET status = %(status)s, next_attempt_at = NULL, updated_at = now()
FROM unnest(%(ids)b::uuid[], %(attempts)b::int[]) AS taken (dlq_id, attempts)
WHERE d.dlq_id = taken.dlq_id AND d.attempts = taken.attempts AND d.status = 'scheduled'
