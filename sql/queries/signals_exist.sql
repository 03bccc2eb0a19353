-- name: signals_exist
-- purpose: Which of these ids are stored, so that replay skips dead letters whose effect exists.
SELECT id FROM signals WHERE id = any(%(ids)b::uuid[])
