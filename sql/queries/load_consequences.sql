-- name: load_consequences
-- purpose: The anomalies of these signals, each with its outbox rows: one line for each row, one without if none.
SELECT a.id AS anomaly_id, o.id AS outbox_id
FROM anomalies AS a
LEFT JOIN outbox_events AS o ON o.aggregatetype = 'anomaly' AND o.aggregateid = a.id::text
WHERE a.signal_event_id = any(%(ids)b::uuid[])
