-- name: find_user
-- purpose: Look a user up by name, disabled or not.
SELECT id, password_hash, scopes, disabled FROM users WHERE username = %(username)s
