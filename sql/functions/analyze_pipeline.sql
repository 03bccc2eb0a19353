-- Refreshes the planner's statistics of the pipeline's tables and summarizes the new ranges of their BRIN indexes.
-- Returns the number of ranges summarized.
CREATE OR REPLACE FUNCTION analyze_pipeline() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    ANALYZE signals, anomalies, outbox_events, dead_letters;
    RETURN (
        SELECT sum(brin_summarize_new_values(c.oid::regclass))
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON i.indexrelid = c.oid
        INNER JOIN pg_am AS m ON c.relam = m.oid
        WHERE
            m.amname = 'brin'
            AND i.indrelid IN ('signals'::regclass, 'anomalies'::regclass, 'outbox_events'::regclass)
    );
END
$$;
