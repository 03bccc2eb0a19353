-- name: outbox_of_aggregate
-- purpose: The events of one anomaly, oldest first.
SELECT id, eventtype, aggregatetype, aggregateid, payload, created_at, processed_at
FROM outbox_events
WHERE aggregatetype = %(aggregatetype)s AND aggregateid = %(aggregateid)s
ORDER BY created_at
