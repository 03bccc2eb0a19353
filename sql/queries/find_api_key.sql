-- name: find_api_key
-- purpose: An API key that is good now, by the hash of its text.
SELECT name, scopes FROM api_keys
WHERE key_hash = %(key_hash)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
