-- name: create_first_user
-- purpose: Add a user to a table that has none; no row when it has one.
INSERT INTO users (username, password_hash, scopes)
SELECT %(username)s, %(password_hash)s, %(scopes)s
WHERE NOT EXISTS (SELECT FROM users)
ON CONFLICT (username) DO NOTHING
RETURNING id
