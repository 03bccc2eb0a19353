-- name: outbox_pending_of_type
-- purpose: How many outbox rows of one event type are not confirmed, and since when.
SELECT count(*) AS pending, min(created_at) AS oldest_pending_at
FROM outbox_events
WHERE processed_at IS NULL AND eventtype = %(eventtype)s
