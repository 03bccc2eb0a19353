-- Whoever lets callers in (emit, replay-dlq): looks an API key up by its hash, notes that it was used, and asks whether
-- a login has ended. Users and tokens stay unseen.
GRANT SELECT (id, name, key_hash, scopes, expires_at, revoked_at, last_used_at) ON api_keys TO pipeline_gate;
GRANT UPDATE (last_used_at) ON api_keys TO pipeline_gate;
GRANT EXECUTE ON FUNCTION login_has_ended(uuid) TO pipeline_gate;
