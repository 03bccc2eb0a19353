-- Keeps the version of a signal that an update replaces. Runs as the owner: writers may not touch the history.
CREATE OR REPLACE FUNCTION keep_superseded_signal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    INSERT INTO superseded_signals (signal_id, event_ts, user_id, type, payload, extensions)
    VALUES (old.id, old.event_ts, old.user_id, old.type, old.payload, old.extensions)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER signals_keep_superseded AFTER UPDATE ON signals
FOR EACH ROW WHEN (old.event_ts IS DISTINCT FROM new.event_ts) EXECUTE FUNCTION keep_superseded_signal();
