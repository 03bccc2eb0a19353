-- name: list_api_keys
-- purpose: All API keys, without their hashes.
SELECT name, scopes, created_at, expires_at, revoked_at, last_used_at FROM api_keys ORDER BY name
