-- name: pipeline_counts
-- purpose: Signals stored in a window that ends now, dead letters that wait, outbox rows that wait.
SELECT
    (SELECT count(*) FROM signals WHERE ingest_ts >= now() - %(window)s) AS stored,
    (SELECT count(*) FROM dead_letters WHERE status = 'scheduled') AS unresolved,
    (SELECT count(*) FROM outbox_events WHERE processed_at IS NULL) AS pending
