-- name: login_of_token
-- purpose: The login that a refresh token came from.
SELECT family FROM refresh_tokens WHERE jti = %(jti)s
