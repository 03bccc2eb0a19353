-- process-signal: stores signals; identity and source of a row never change.
GRANT SELECT, INSERT ON signals TO pipeline_processor;
GRANT UPDATE (user_id, type, event_ts, ingest_ts, payload, extensions) ON signals TO pipeline_processor;
GRANT SELECT ON superseded_signals TO pipeline_processor;
GRANT EXECUTE ON FUNCTION own_extensions(jsonb) TO pipeline_processor;
