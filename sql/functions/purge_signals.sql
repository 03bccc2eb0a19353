-- Deletes at most batch_size signals stored before the cutoff that no anomaly refers to: anomalies go first, by
-- purge_anomalies. Age is the time of arrival, because event time is whatever a sender says.
-- Returns the number of signals deleted; call again until it is 0.
CREATE OR REPLACE FUNCTION purge_signals(cutoff timestamptz, batch_size int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    purged int;
BEGIN
    PERFORM mark_purged('signals', cutoff);
    WITH expired AS (
        SELECT s.id
        FROM signals AS s
        WHERE
            s.ingest_ts < cutoff
            AND NOT EXISTS (SELECT FROM anomalies AS a WHERE a.signal_event_id = s.id)
        LIMIT batch_size
        FOR UPDATE OF s SKIP LOCKED
    ), history AS (
        DELETE FROM superseded_signals AS h USING expired WHERE h.signal_id = expired.id
    ), gone AS (
        DELETE FROM signals AS s USING expired WHERE s.id = expired.id RETURNING s.id
    )
    SELECT count(*) INTO purged FROM gone;
    RETURN purged;
END
$$;
