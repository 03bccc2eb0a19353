-- Deletes at most batch_size dead letters that were replayed or resolved and have not changed since the cutoff.
-- Scheduled ones stay: they are still owed. Quarantined ones wait a further week for a person: without an end, one
-- producer of poison that nobody looks at would fill the disk.
-- Returns the number deleted; call again until it is 0.
CREATE OR REPLACE FUNCTION purge_dead_letters(cutoff timestamptz, batch_size int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    purged int;
BEGIN
    PERFORM mark_purged('dead_letters', cutoff);
    DELETE FROM dead_letters WHERE dlq_id IN (
        SELECT dlq_id FROM dead_letters
        WHERE
            (status IN ('replayed', 'resolved') AND updated_at < cutoff)
            OR (status = 'quarantined' AND updated_at < cutoff - interval '7 days')
        LIMIT batch_size
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
