-- Dashboards, status commands and the audit: read everything but credentials, and of those what happened to them; note
-- what an audit found.
GRANT SELECT ON
signals, superseded_signals, anomalies, outbox_events, dead_letters, replay_jobs, purge_marks, audit_runs,
schema_migrations, debezium_heartbeat, table_performance_stats, index_usage_stats, gin_pending_stats, slot_lag_stats, outbox_lag_stats,
dead_letter_summary, signal_throughput, access_events
TO pipeline_reader;
GRANT EXECUTE ON FUNCTION pgstatginindex(regclass), record_audit_run(interval, bigint, bigint, jsonb) TO pipeline_reader;
