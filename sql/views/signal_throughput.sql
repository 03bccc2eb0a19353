-- Signals stored per minute over the last hour, with how far behind their event time they arrived.
DROP VIEW IF EXISTS signal_throughput;
CREATE VIEW signal_throughput AS
SELECT
    date_trunc('minute', ingest_ts) AS minute,
    count(*) AS signals,
    count(DISTINCT user_id) AS users,
    extract(EPOCH FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY ingest_ts - event_ts))::double precision
    AS arrival_delay_seconds_p50
FROM signals
WHERE ingest_ts >= now() - interval '1 hour'
GROUP BY date_trunc('minute', ingest_ts);
