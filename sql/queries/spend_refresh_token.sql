-- name: spend_refresh_token
-- purpose: Take a refresh token out of use, once; no row when it is spent, revoked, expired or unknown.
-- One revoked token of a login revokes all of them, also one that was inserted while the others were being revoked.
UPDATE refresh_tokens
SET used_at = now(), successor = %(successor)s
FROM users
WHERE
    refresh_tokens.jti = %(jti)s
    AND refresh_tokens.used_at IS NULL
    AND refresh_tokens.expires_at > now()
    AND users.id = refresh_tokens.user_id
    AND NOT users.disabled
    AND NOT EXISTS (
        SELECT FROM refresh_tokens AS f WHERE f.family = refresh_tokens.family AND f.revoked_at IS NOT NULL
    )
RETURNING refresh_tokens.family, users.id, users.username, users.scopes, refresh_tokens.successor
