-- name: signals_late
-- purpose: The newest signals that arrived more than 5 minutes after they happened.
SELECT id, user_id, source, type, event_ts, ingest_ts
FROM signals
WHERE ingest_ts - event_ts > interval '5 minutes'
ORDER BY ingest_ts DESC
LIMIT %(limit)s
