-- name: login_is_revoked
-- purpose: Whether a login has ended: one revoked refresh token of it revokes them all.
SELECT EXISTS (SELECT FROM refresh_tokens WHERE family = %(family)s AND revoked_at IS NOT NULL)
