-- name: audit_anomalies
-- purpose: Anomalies, and those that have not exactly one outbox row. One statement sees both or neither of a pair.
SELECT
    count(*) AS total,
    count(*) FILTER (WHERE pairs.events = 0) AS without_event,
    count(*) FILTER (WHERE pairs.events > 1) AS with_several,
    coalesce((array_agg(pairs.id ORDER BY pairs.id) FILTER (WHERE pairs.events = 0))[1:%(limit)s], '{}')
    AS without_event_ids,
    coalesce((array_agg(pairs.id ORDER BY pairs.id) FILTER (WHERE pairs.events > 1))[1:%(limit)s], '{}')
    AS with_several_ids
FROM (
    SELECT a.id, count(o.id) AS events
    FROM anomalies AS a
    LEFT JOIN outbox_events AS o ON o.aggregatetype = 'anomaly' AND o.aggregateid = a.id::text
    GROUP BY a.id
) AS pairs
