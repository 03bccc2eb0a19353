-- name: revoke_refresh_family
-- purpose: Revoke every refresh token of the login that a token came from.
UPDATE refresh_tokens
SET revoked_at = now()
WHERE family = (SELECT family FROM refresh_tokens WHERE jti = %(jti)s) AND revoked_at IS NULL
