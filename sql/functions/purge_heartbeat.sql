-- Deletes at most batch_size heartbeats older than the cutoff; returns the number deleted.
CREATE OR REPLACE FUNCTION purge_heartbeat(cutoff timestamptz, batch_size int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    purged int;
BEGIN
    DELETE FROM debezium_heartbeat WHERE id IN (
        SELECT id FROM debezium_heartbeat WHERE beat_at < cutoff ORDER BY id LIMIT batch_size
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
