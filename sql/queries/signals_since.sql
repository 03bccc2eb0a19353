-- name: signals_since
-- purpose: Signals that happened in a window that ends now.
SELECT id, user_id, source, type, event_ts, payload
FROM signals
WHERE event_ts >= now() - %(window)s
