-- name: audit_add_letters
-- purpose: Note under which keys dead letters lie in one place.
INSERT INTO audit_letters (key, place)
SELECT DISTINCT key, %(place)s FROM unnest(%(keys)b::uuid[]) AS k (key)
ON CONFLICT DO NOTHING
