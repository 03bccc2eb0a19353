-- name: stamped_outbox
-- purpose: Which of these outbox rows are stamped; a row that is missing here is not, or cannot be seen yet.
SELECT id FROM outbox_events WHERE id = any(%(ids)b::uuid[]) AND processed_at IS NOT NULL
