-- name: audit_unpublished
-- purpose: Outbox rows, up to a time, without an event on anomaly-events; how many are so young that it may still come.
-- A confirmed row older than what Kafka still holds had its event: confirm-outbox read it.
SELECT
    count(*) FILTER (WHERE NOT expired) AS missing,
    count(*) FILTER (WHERE NOT expired AND created_at > now() - %(settling)s) AS young,
    coalesce((array_agg(id ORDER BY created_at, id) FILTER (WHERE NOT expired))[1:%(limit)s], '{}') AS missing_ids
FROM (
    SELECT
        o.id,
        o.created_at,
        o.processed_at IS NOT NULL AND coalesce(o.created_at < %(horizon)s::timestamptz, FALSE) AS expired
    FROM outbox_events AS o
    LEFT JOIN audit_published AS p ON o.id = p.event_id
    WHERE o.created_at <= %(as_of)s AND p.event_id IS NULL
) AS unpublished
