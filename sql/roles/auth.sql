-- auth: users, refresh tokens and API keys; expired tokens are deleted.
GRANT SELECT, INSERT, UPDATE ON users, api_keys TO pipeline_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO pipeline_auth;
