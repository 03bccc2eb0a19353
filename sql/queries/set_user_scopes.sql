-- name: set_user_scopes
-- purpose: Say anew what a user may do; return what it might before.
UPDATE users SET scopes = %(scopes)s
FROM (SELECT id, scopes FROM users WHERE username = %(username)s FOR NO KEY UPDATE) AS before
WHERE users.id = before.id
RETURNING users.id, before.scopes
