-- name: outbox_confirmed_since
-- purpose: How many events were confirmed in a window that ends now.
SELECT count(*) AS events
FROM outbox_events
WHERE processed_at >= now() - %(window)s
