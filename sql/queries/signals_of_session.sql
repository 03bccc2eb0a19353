-- name: signals_of_session
-- purpose: A session in the order in which it happened.
SELECT id, user_id, source, type, event_ts, payload
FROM signals
WHERE left(payload ->> 'session_id', 128) = left(%(session_id)s, 128)
ORDER BY event_ts
