-- name: signals_with_data
-- purpose: The newest signals with one data value.
SELECT id, user_id, source, type, event_ts, payload
FROM signals
WHERE left(payload ->> 'data', 128) = left(%(data)s, 128)
ORDER BY event_ts DESC
LIMIT %(limit)s
