-- name: trace_timeline
-- purpose: What the tables know of some signals and dead letters, one row for each thing that happened.
-- The correlation id of a dead letter is among its original headers; `escape` makes text of any bytes.
WITH letters AS (
    SELECT
        d.*,
        encode(
            decode(substring(d.record_headers::text FROM '\["ce_correlationid", "([A-Za-z0-9+/=]*)"\]'), 'base64'),
            'escape'
        ) AS correlation_id
    FROM dead_letters AS d
    WHERE d.signal_id = any(%(signals)s::uuid[]) OR d.dlq_id = any(%(letters)s::uuid[])
)
SELECT
    event_ts AS at, 'event' AS what, id,
    jsonb_build_object(
        'type', type, 'source', source, 'user', user_id, 'event_id', coalesce(extensions ->> 'id', id::text),
        'correlation_id', extensions -> 'correlationid', 'traceparent', extensions -> 'traceparent'
    ) AS facts
FROM signals
WHERE id = any(%(signals)s::uuid[])
UNION ALL
SELECT ingest_ts AS at, 'stored' AS what, id, jsonb_build_object('event_ts', event_ts) AS facts
FROM signals
WHERE id = any(%(signals)s::uuid[])
UNION ALL
SELECT
    event_ts AS at, 'event, since replaced' AS what, signal_id AS id,
    jsonb_build_object(
        'type', type, 'user', user_id, 'correlation_id', extensions -> 'correlationid',
        'traceparent', extensions -> 'traceparent'
    ) AS facts
FROM superseded_signals
WHERE signal_id = any(%(signals)s::uuid[])
UNION ALL
SELECT
    superseded_at AS at, 'version replaced' AS what, signal_id AS id, jsonb_build_object('event_ts', event_ts) AS facts
FROM superseded_signals
WHERE signal_id = any(%(signals)s::uuid[])
UNION ALL
SELECT
    detection_ts AS at, 'anomaly' AS what, id,
    jsonb_build_object('rule', anomaly_type, 'severity', severity, 'signal_id', signal_event_id) AS facts
FROM anomalies
WHERE signal_event_id = any(%(signals)s::uuid[])
UNION ALL
SELECT
    created_at AS at, 'outbox row' AS what, id,
    jsonb_build_object('event', eventtype, 'anomaly_id', aggregateid, 'confirmed', processed_at IS NOT NULL) AS facts
FROM outbox_events
WHERE left(payload ->> 'signal_event_id', 64) = any(%(signals)s::uuid[]::text[])
UNION ALL
SELECT
    processed_at AS at, 'published and confirmed' AS what, id, jsonb_build_object('anomaly_id', aggregateid) AS facts
FROM outbox_events
WHERE left(payload ->> 'signal_event_id', 64) = any(%(signals)s::uuid[]::text[]) AND processed_at IS NOT NULL
UNION ALL
SELECT
    original_timestamp AS at, 'on Kafka' AS what, dlq_id AS id,
    jsonb_build_object(
        'topic', original_topic, 'partition', original_partition, 'offset', original_offset, 'event_id', event_id,
        'source', event_source, 'correlation_id', correlation_id, 'traceparent', traceparent
    ) AS facts
FROM letters
WHERE original_timestamp IS NOT NULL
UNION ALL
SELECT
    first_failed_at AS at, 'failed first' AS what, dlq_id AS id,
    jsonb_build_object(
        'group', consumer_group, 'function', function, 'topic', original_topic, 'partition', original_partition,
        'offset', original_offset, 'event_id', event_id, 'signal_id', signal_id
    ) AS facts
FROM letters
UNION ALL
SELECT
    last_failed_at AS at, 'failed last' AS what, dlq_id AS id,
    jsonb_build_object(
        'class', failure_class, 'code', code, 'message', message, 'disposition', disposition, 'attempts', attempts,
        'failures', to_jsonb(failure_ids)
    ) AS facts
FROM letters
UNION ALL
SELECT recorded_at AS at, 'dead letter recorded' AS what, dlq_id AS id, '{}' AS facts
FROM letters
UNION ALL
SELECT
    updated_at AS at, 'dead letter ' || status AS what, dlq_id AS id,
    jsonb_build_object('attempts', attempts, 'next_attempt_at', next_attempt_at) AS facts
FROM letters
