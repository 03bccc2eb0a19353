-- name: set_user_disabled
-- purpose: Close or open the door to a user; no row when there is none.
UPDATE users SET disabled = %(disabled)s WHERE username = %(username)s RETURNING id
