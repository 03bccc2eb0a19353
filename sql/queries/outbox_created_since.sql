-- name: outbox_created_since
-- purpose: How many events were created in a window that ends now.
SELECT count(*) AS events
FROM outbox_events
WHERE created_at >= now() - %(window)s
