-- name: classify_signals
-- purpose: Say why each of these signals was not written: the words are those of Outcome.
SELECT
    i.id,
    CASE
        WHEN s.id IS NULL THEN 'unchanged'  -- it was there when the upsert ran, and has been purged since
        WHEN s.source <> i.source THEN 'identity_conflict'
        WHEN s.event_ts = i.event_ts AND same.content THEN 'unchanged'
        WHEN
            EXISTS (
                SELECT FROM superseded_signals AS h
                WHERE
                    h.signal_id = i.id
                    AND h.event_ts = i.event_ts
                    AND (h.user_id, h.type, h.payload, own_extensions(h.extensions))
                    IS NOT DISTINCT FROM (i.user_id, i.type, i.payload::jsonb, own_extensions(i.extensions::jsonb))
            )
            THEN 'unchanged'
        WHEN same.content THEN 'repeated'
        ELSE 'stale'
    END AS outcome
FROM
    unnest(
        %(ids)b::uuid[], %(users)b::text[], %(sources)b::text[], %(types)b::text[], %(times)b::timestamptz[],
        %(payloads)b::text[], %(extensions)b::text[]
    ) AS i (id, user_id, source, type, event_ts, payload, extensions)
LEFT JOIN signals AS s ON i.id = s.id
CROSS JOIN LATERAL (
    SELECT
        (s.user_id, s.type, s.payload, own_extensions(s.extensions))
        IS NOT DISTINCT FROM (i.user_id, i.type, i.payload::jsonb, own_extensions(i.extensions::jsonb)) AS content
) AS same
