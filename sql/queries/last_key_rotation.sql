-- name: last_key_rotation
-- purpose: How long ago the key of tokens was exchanged; null when it never was.
SELECT now() - max(at) AS age FROM access_events WHERE kind = 'signing_key_rotated'
