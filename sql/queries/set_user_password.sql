-- name: set_user_password
-- purpose: Give a user another password.
UPDATE users SET password_hash = %(password_hash)s, password_changed_at = now()
WHERE username = %(username)s
RETURNING id
