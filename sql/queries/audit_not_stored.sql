-- name: audit_not_stored
-- purpose: Positions, from 1, of the identities that are no rows. A row of another source is another event.
SELECT i.position::int
FROM unnest(%(ids)b::uuid[], %(sources)b::text[]) WITH ORDINALITY AS i (id, source, position)
LEFT JOIN signals AS s ON i.id = s.id AND i.source = s.source
WHERE s.id IS NULL
