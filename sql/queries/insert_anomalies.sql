-- name: insert_anomalies
-- purpose: Insert the anomalies that are new, each with its outbox row in the same statement; return the new ids.
-- An anomaly that exists gets no second outbox row: redelivery publishes nothing. The event's time and the anomaly's
-- are the transaction's, so they are equal in table and event.
-- The event's id follows from the anomaly's: one that is found again after its rows were lost, with a database that was
-- restored from a backup, is published under the id that consumers already know. It is a UUID of version 8, of which
-- RFC 9562 fixes the digits for version and variant alone.
-- jsonb writes 1e308 as 309 digits: what was accepted in a quarter of a megabyte may be too large for any topic, and one
-- such event would stop the connector for all. Its payload stays in the table, and the event says so.
WITH incoming AS (
    SELECT *
    FROM unnest(
        %(ids)b::uuid[], %(users)b::text[], %(types)b::text[], %(severities)b::int[], %(signals)b::uuid[],
        %(contexts)b::text[]
    ) WITH ORDINALITY AS i (id, user_id, anomaly_type, severity, signal_event_id, context, position)
), inserted AS (
    INSERT INTO anomalies (id, user_id, anomaly_type, severity, signal_event_id, context)
    SELECT id, user_id, anomaly_type, severity, signal_event_id, context::jsonb
    FROM incoming
    ORDER BY id, position  -- of two versions that break the same rule, the context keeps the first
    ON CONFLICT DO NOTHING
    RETURNING *
), published AS (
    INSERT INTO outbox_events (id, aggregateid, subject, payload)
    SELECT
        overlay(
            overlay(left(encode(sha256(('anomaly_detected ' || id)::bytea), 'hex'), 32) PLACING '8' FROM 13)
            PLACING '8' FROM 17
        )::uuid,
        id::text,
        coalesce(nullif(user_id, ''), signal_event_id::text),
        jsonb_build_object(
            'id', id,
            'anomaly_type', anomaly_type,
            'severity', severity,
            'detection_ts', detection_ts,
            'user_id', user_id,
            'signal_event_id', signal_event_id,
            'context',
            CASE
                WHEN octet_length(context::text) <= 1048576 THEN context
                ELSE jsonb_set(context, '{original_signal,payload}', 'null') || '{"payload_omitted": true}'
            END
        )
    FROM inserted
)
SELECT id FROM inserted
