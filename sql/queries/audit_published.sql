-- name: audit_published
-- purpose: Events on anomaly-events: how many, how many repeat another, how many belong to no outbox row.
-- An event whose row is older than the last purge may have lost it to that.
SELECT
    count(*) AS total,
    count(*) - count(DISTINCT p.event_id) AS repeated,
    count(DISTINCT p.event_id) FILTER (WHERE o.id IS NULL AND NOT may_be.purged) AS unknown,
    coalesce((array_agg(DISTINCT p.event_id) FILTER (WHERE o.id IS NULL AND NOT may_be.purged))[1:%(limit)s], '{}')
    AS unknown_ids
FROM audit_published AS p
LEFT JOIN outbox_events AS o ON p.event_id = o.id
LEFT JOIN purge_marks AS m ON m.table_name = 'anomalies'
CROSS JOIN LATERAL (SELECT coalesce(p.created_at < m.purged_before, FALSE) AS purged) AS may_be
