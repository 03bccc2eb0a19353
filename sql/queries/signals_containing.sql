-- name: signals_containing
-- purpose: Signals whose payload contains a JSON value.
SELECT id, user_id, source, type, event_ts, payload
FROM signals
WHERE payload @> %(part)s::jsonb
LIMIT %(limit)s
