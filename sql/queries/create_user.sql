-- name: create_user
-- purpose: Add a user; no row when there is one of that name.
INSERT INTO users (username, password_hash, scopes)
VALUES (%(username)s, %(password_hash)s, %(scopes)s)
ON CONFLICT (username) DO NOTHING
RETURNING id
