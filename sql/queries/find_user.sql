-- name: find_user
-- purpose: Look a user up for a login.
SELECT id, password_hash, scopes FROM users WHERE username = %(username)s AND NOT disabled
