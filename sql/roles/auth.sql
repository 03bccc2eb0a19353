-- auth: users, refresh tokens and API keys; expired tokens are deleted. Access events are written and never read back;
-- their time and number are the server's.
GRANT SELECT, INSERT, UPDATE ON users, api_keys TO pipeline_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO pipeline_auth;
GRANT INSERT (kind, actor, subject, address, correlation_id, detail) ON access_events TO pipeline_auth;
GRANT EXECUTE ON FUNCTION login_has_ended(uuid) TO pipeline_auth;
