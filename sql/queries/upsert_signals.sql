-- name: upsert_signals
-- purpose: Store a batch of signals with different ids; a newer, different version of the same source replaces the row.
-- Returns two nulls when every row was inserted, else the ids inserted and the ids updated. Rows are written in the
-- order of their ids, so that two writers of the same rows wait for each other instead of deadlocking. xmax is 0 for a
-- row that this statement inserted, and names the transaction for one that it updated.
WITH incoming AS (
    SELECT *
    FROM unnest(
        %(ids)b::uuid[], %(users)b::text[], %(sources)b::text[], %(types)b::text[], %(times)b::timestamptz[],
        %(payloads)b::text[], %(extensions)b::text[]
    ) AS i (id, user_id, source, type, event_ts, payload, extensions)
), written AS (
    INSERT INTO signals AS stored (id, user_id, source, type, event_ts, payload, extensions)
    SELECT id, user_id, source, type, event_ts, payload::jsonb, extensions::jsonb
    FROM incoming
    ORDER BY id
    ON CONFLICT (id) DO UPDATE
    SET
        user_id = excluded.user_id,
        type = excluded.type,
        event_ts = excluded.event_ts,
        ingest_ts = now(),
        payload = excluded.payload,
        extensions = excluded.extensions
    WHERE
        stored.source = excluded.source
        AND excluded.event_ts > stored.event_ts
        AND (stored.user_id, stored.type, stored.payload, own_extensions(stored.extensions))
        IS DISTINCT FROM (excluded.user_id, excluded.type, excluded.payload, own_extensions(excluded.extensions))
    RETURNING stored.id, stored.xmax = 0 AS inserted
), counted AS (
    SELECT count(*) FILTER (WHERE inserted) < cardinality(%(ids)b::uuid[]) AS partly FROM written
)
SELECT
    CASE WHEN partly THEN ARRAY(SELECT id FROM written WHERE inserted) END AS inserted_ids,
    CASE WHEN partly THEN ARRAY(SELECT id FROM written WHERE NOT inserted) END AS updated_ids
FROM counted
