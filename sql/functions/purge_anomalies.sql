-- Deletes at most batch_size anomalies detected before the cutoff, each with its outbox row in the same statement, so
-- that every snapshot holds both or neither. An anomaly whose event is not confirmed yet stays.
-- Returns the number of anomalies deleted; call again until it is 0.
CREATE OR REPLACE FUNCTION purge_anomalies(cutoff timestamptz, batch_size int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    purged int;
BEGIN
    PERFORM mark_purged('anomalies', cutoff);
    WITH expired AS (
        SELECT a.id
        FROM anomalies AS a
        WHERE
            a.detection_ts < cutoff
            AND NOT EXISTS (
                SELECT FROM outbox_events AS o
                WHERE o.aggregatetype = 'anomaly' AND o.aggregateid = a.id::text AND o.processed_at IS NULL
            )
        LIMIT batch_size
        FOR UPDATE OF a SKIP LOCKED
    ), events AS (
        DELETE FROM outbox_events AS o USING expired
        WHERE o.aggregatetype = 'anomaly' AND o.aggregateid = expired.id::text
    ), gone AS (
        DELETE FROM anomalies AS a USING expired WHERE a.id = expired.id RETURNING a.id
    )
    SELECT count(*) INTO purged FROM gone;
    RETURN purged;
END
$$;
