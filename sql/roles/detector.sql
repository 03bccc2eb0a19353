-- detect-anomaly: stores the signals it meets first by the same upsert, then anomalies and outbox rows, append-only.
GRANT SELECT, INSERT ON signals TO pipeline_detector;
GRANT UPDATE (user_id, type, event_ts, ingest_ts, payload, extensions) ON signals TO pipeline_detector;
GRANT SELECT ON superseded_signals TO pipeline_detector;
GRANT SELECT, INSERT ON anomalies TO pipeline_detector;
GRANT INSERT ON outbox_events TO pipeline_detector;
GRANT EXECUTE ON FUNCTION own_extensions(jsonb) TO pipeline_detector;
