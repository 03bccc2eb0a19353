-- name: signals_of_type
-- purpose: The newest signals of one type.
SELECT id, user_id, source, type, event_ts, payload
FROM signals
WHERE type = %(type)s
ORDER BY event_ts DESC
LIMIT %(limit)s
