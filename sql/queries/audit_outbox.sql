-- name: audit_outbox
-- purpose: Outbox rows, and those whose anomaly does not exist; with the time of the look.
SELECT
    count(*) AS total,
    count(*) FILTER (WHERE a.id IS NULL) AS orphans,
    coalesce((array_agg(o.id ORDER BY o.id) FILTER (WHERE a.id IS NULL))[1:%(limit)s], '{}') AS orphan_ids,
    now() AS looked_at
FROM outbox_events AS o
LEFT JOIN anomalies AS a ON o.aggregateid = a.id::text
WHERE o.aggregatetype = 'anomaly'
