-- name: trace_keys
-- purpose: What a UUID is: a signal, an anomaly, an outbox row, a dead letter or one of its failures; each by an index.
-- A failure counted for an older dead letter is looked for among all of them: their table is small.
SELECT 'signal' AS kind, id AS signal_id, NULL::uuid AS dlq_id FROM signals WHERE id = %(id)s
UNION ALL
SELECT 'anomaly' AS kind, signal_event_id AS signal_id, NULL AS dlq_id FROM anomalies WHERE id = %(id)s
UNION ALL
SELECT 'outbox row' AS kind, a.signal_event_id AS signal_id, NULL AS dlq_id
FROM outbox_events AS o
INNER JOIN anomalies AS a ON o.aggregatetype = 'anomaly' AND o.aggregateid = a.id::text
WHERE o.id = %(id)s
UNION ALL
SELECT 'dead letter' AS kind, signal_id, dlq_id FROM dead_letters WHERE dlq_id = %(id)s
UNION ALL
SELECT 'failure of a dead letter' AS kind, signal_id, dlq_id
FROM dead_letters
WHERE dlq_id <> %(id)s AND %(id)s = any(failure_ids)
UNION ALL
SELECT 'event of a dead letter' AS kind, signal_id, dlq_id FROM dead_letters WHERE signal_id = %(id)s
