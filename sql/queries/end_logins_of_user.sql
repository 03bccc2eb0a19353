-- name: end_logins_of_user
-- purpose: Revoke every refresh token of a user.
UPDATE refresh_tokens SET revoked_at = now() WHERE user_id = %(user_id)s AND revoked_at IS NULL
