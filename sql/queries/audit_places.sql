-- name: audit_places
-- purpose: Where each record that is not stored is accounted for; null where it is missing.
-- A record that was replayed failed again under a new id: the row that it came from knows that id. A dead letter of
-- detect-anomaly says nothing about storing: process-signal must have made one of its own.
-- What was replayed for another group than process-signal may have been stored long before: since when is told, too.
SELECT
    i.position::int,
    CASE
        WHEN EXISTS (SELECT FROM dead_letters AS d WHERE d.dlq_id = i.failure_id)
            OR EXISTS (
                SELECT FROM dead_letters AS d WHERE d.dlq_id = i.origin_id AND i.failure_id = any(d.failure_ids)
            )
            OR EXISTS (
                SELECT FROM dead_letters AS d
                WHERE d.signal_id = i.signal_id AND d.consumer_group <> 'detect-anomaly'
            )
            THEN 'recorded'
        ELSE
            (
                SELECT max(l.place) FROM audit_letters AS l
                WHERE l.key = any(ARRAY[i.failure_id, i.signal_id])
            )
    END AS place,
    (
        SELECT d.original_timestamp FROM dead_letters AS d
        WHERE d.dlq_id = i.origin_id AND d.signal_id = i.signal_id AND d.consumer_group <> 'process-signal'
    ) AS stored_since
FROM
    unnest(%(failure_ids)b::uuid[], %(origin_ids)b::uuid[], %(signal_ids)b::uuid[])
    WITH ORDINALITY AS i (failure_id, origin_id, signal_id, position)
