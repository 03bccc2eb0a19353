-- name: put_development_user
-- purpose: Create the user of a setting, or give it the setting's password.
INSERT INTO users (username, password_hash, scopes)
VALUES (%(username)s, %(password_hash)s, %(scopes)s)
ON CONFLICT (username) DO UPDATE
SET password_hash = excluded.password_hash, scopes = excluded.scopes, password_changed_at = now()
RETURNING id
