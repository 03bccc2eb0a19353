-- Deletes at most batch_size access events older than the cutoff, and of failed logins, which anyone can cause, all but
-- the newest 100,000: a flood of them costs about 20 MB and never pushes out anything else. Returns the number deleted.
CREATE OR REPLACE FUNCTION purge_access_events(cutoff timestamptz, batch_size int DEFAULT 1000) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    purged int;
BEGIN
    DELETE FROM access_events WHERE id IN (
        SELECT e.id FROM access_events AS e
        WHERE
            e.at < cutoff
            OR (
                e.kind = 'login_failed'
                AND e.id <= (
                    SELECT f.id FROM access_events AS f
                    WHERE f.kind = 'login_failed' ORDER BY f.id DESC OFFSET 100000 LIMIT 1
                )
            )
        ORDER BY e.id LIMIT batch_size
        FOR UPDATE SKIP LOCKED
    );
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
