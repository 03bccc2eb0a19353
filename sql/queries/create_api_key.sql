-- name: create_api_key
-- purpose: Add an API key, by its hash; no row when there is, or was, one of that name.
INSERT INTO api_keys (name, key_hash, scopes, expires_at)
VALUES (%(name)s, %(digest)s, %(scopes)s, now() + %(lifetime)s::interval)
ON CONFLICT (name) DO NOTHING
RETURNING expires_at
