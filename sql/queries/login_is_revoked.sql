-- name: login_is_revoked
-- purpose: Whether tokens of a login are refused.
SELECT login_has_ended(%(family)s)
