-- name: signals_of_user_by_type
-- purpose: What a user did of one type, newest first.
SELECT id, user_id, source, type, event_ts, payload
FROM signals
WHERE user_id = %(user_id)s AND type = %(type)s
ORDER BY event_ts DESC
LIMIT %(limit)s
