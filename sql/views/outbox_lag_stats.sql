-- The outbox: how many events wait for confirmation, since when, and how long confirmation took in the last minute.
DROP VIEW IF EXISTS outbox_lag_stats;
CREATE VIEW outbox_lag_stats AS
SELECT
    (SELECT count(*) FROM outbox_events WHERE processed_at IS NULL) AS pending,
    (SELECT min(created_at) FROM outbox_events WHERE processed_at IS NULL) AS oldest_pending_at,
    coalesce(
        (SELECT extract(EPOCH FROM now() - min(created_at)) FROM outbox_events WHERE processed_at IS NULL), 0
    )::double precision AS oldest_pending_seconds,
    count(*) AS confirmed_last_minute,
    extract(EPOCH FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY processed_at - created_at))::double precision
    AS confirmation_seconds_p50,
    extract(EPOCH FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY processed_at - created_at))::double precision
    AS confirmation_seconds_p99
FROM outbox_events
WHERE processed_at >= now() - interval '1 minute';
