-- name: settle_dead_letters
-- purpose: Move scheduled dead letters to a final status.
UPDATE dead_letters SET status = %(status)s, next_attempt_at = NULL, updated_at = now()
WHERE dlq_id = any(%(ids)b::uuid[]) AND status = 'scheduled'
