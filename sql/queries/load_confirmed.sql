-- name: load_confirmed
-- purpose: How many of these outbox rows are stamped.
SELECT count(*) FROM outbox_events WHERE id = any(%(ids)b::uuid[]) AND processed_at IS NOT NULL
