-- name: outbox_pending
-- purpose: The oldest outbox rows that are not confirmed: what `outbox republish` sends again, a page at a time.
SELECT id, eventtype, aggregateid, subject, specversion, payload::text AS payload, created_at
FROM outbox_events
WHERE processed_at IS NULL AND (created_at, id) > (%(after_time)s, %(after_id)s)
ORDER BY created_at, id
LIMIT %(limit)s
