-- name: audit_add_published
-- purpose: Note events that are on anomaly-events, with the time of their outbox row.
INSERT INTO audit_published (event_id, created_at)
SELECT event_id, created_at
FROM unnest(%(ids)b::uuid[], %(times)b::timestamptz[]) AS e (event_id, created_at)
