-- process-signal: stores signals; identity and source of a row never change.
GRANT SELECT, INSERT ON signals TO pipeline_processor;
GRANT UPDATE (user_id, type, event_ts, ingest_ts, payload, extensions) ON signals TO pipeline_processor;
GRANT SELECT ON superseded_signals TO pipeline_processor;
-- The schedule asks this function for the upkeep too; the owner's functions bound what it can delete.
GRANT EXECUTE ON FUNCTION
purge_anomalies(timestamptz, int), purge_signals(timestamptz, int), purge_dead_letters(timestamptz, int),
purge_heartbeat(timestamptz, int), purge_access_events(timestamptz, int), clean_gin_pending(), analyze_pipeline()
TO pipeline_processor;
GRANT EXECUTE ON FUNCTION own_extensions(jsonb) TO pipeline_processor;
