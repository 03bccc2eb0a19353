-- name: signals_from_the_future
-- purpose: The newest signals that claim to have happened more than a minute after they arrived.
SELECT id, user_id, source, type, event_ts, ingest_ts
FROM signals
WHERE event_ts - ingest_ts > interval '1 minute'
ORDER BY ingest_ts DESC
LIMIT %(limit)s
