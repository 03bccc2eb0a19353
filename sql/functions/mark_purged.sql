-- Records that rows of a table older than the cutoff may be gone; never moves backwards.
CREATE OR REPLACE FUNCTION mark_purged(purged_table text, cutoff timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    INSERT INTO purge_marks AS marks (table_name, purged_before) VALUES (purged_table, cutoff)
    ON CONFLICT (table_name) DO UPDATE
    SET purged_before = excluded.purged_before, updated_at = now()
    WHERE marks.purged_before < excluded.purged_before
$$;
