-- Maintenance: runs the bounded functions of the owner and touches no table by itself.
GRANT EXECUTE ON FUNCTION
purge_anomalies(timestamptz, int), purge_signals(timestamptz, int), purge_dead_letters(timestamptz, int),
purge_heartbeat(timestamptz, int), purge_access_events(timestamptz, int), clean_gin_pending(), analyze_pipeline()
TO pipeline_maintainer;
