-- name: signals_exist
-- purpose: Positions, from 1, of the versions whose effect exists, so that replay skips their dead letters.
-- A row of another source is another event, and an older row waits for the newer version. Without a time the row itself
-- is all that can be asked for.
SELECT i.position::int
FROM
    unnest(%(ids)b::uuid[], %(sources)b::text[], %(times)b::timestamptz[])
    WITH ORDINALITY AS i (id, source, event_ts, position)
INNER JOIN signals AS s ON i.id = s.id AND i.source = s.source
WHERE i.event_ts IS NULL OR s.event_ts >= i.event_ts
