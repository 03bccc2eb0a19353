-- name: find_api_key
-- purpose: An API key that is good now, by its hash; its last use is noted at most once an hour.
WITH found AS (
    SELECT id, name, scopes, key_hash, last_used_at
    FROM api_keys
    WHERE key_hash = %(digest)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
),

used AS (
    UPDATE api_keys SET last_used_at = now()
    FROM found
    WHERE
        api_keys.id = found.id
        AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < now() - interval '1 hour')
)

SELECT name, scopes, key_hash FROM found
