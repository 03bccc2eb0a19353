-- replay-dlq: dead letters and replay jobs; shows the last audit; looks up whether a signal exists, from which source
-- and of which time, and nothing else of it.
GRANT SELECT, INSERT, UPDATE ON dead_letters, replay_jobs TO pipeline_replayer;
GRANT SELECT ON dead_letter_summary TO pipeline_replayer;
GRANT SELECT ON audit_runs TO pipeline_replayer;
GRANT SELECT (id, source, event_ts) ON signals TO pipeline_replayer;
-- It lets callers in, too, as pipeline_gate does.
GRANT SELECT (id, name, key_hash, scopes, expires_at, revoked_at, last_used_at) ON api_keys TO pipeline_replayer;
GRANT UPDATE (last_used_at) ON api_keys TO pipeline_replayer;
GRANT EXECUTE ON FUNCTION login_has_ended(uuid) TO pipeline_replayer;
