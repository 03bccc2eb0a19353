-- name: end_login
-- purpose: Revoke every refresh token of a login.
UPDATE refresh_tokens SET revoked_at = now() WHERE family = %(family)s AND revoked_at IS NULL
