-- name: outbox_of_signal
-- purpose: The events that one signal led to.
SELECT id, eventtype, aggregatetype, aggregateid, payload, created_at, processed_at
FROM outbox_events
WHERE left(payload ->> 'signal_event_id', 64) = %(signal_id)s
