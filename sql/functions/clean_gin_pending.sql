-- Merges the pending list of every GIN index of the pipeline's tables; returns the pages that each list held.
-- Runs as the owner, as gin_clean_pending_list demands.
CREATE OR REPLACE FUNCTION clean_gin_pending() RETURNS TABLE (index_name name, cleaned_pages bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT c.relname, gin_clean_pending_list(c.oid::regclass)
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON i.indexrelid = c.oid
    INNER JOIN pg_am AS m ON c.relam = m.oid
    WHERE m.amname = 'gin' AND i.indrelid IN ('signals'::regclass, 'anomalies'::regclass, 'outbox_events'::regclass)
$$;
