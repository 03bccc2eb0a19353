-- name: audit_make_published
-- purpose: A place for the ids of the events on anomaly-events, as often as they are there.
CREATE TEMP TABLE audit_published (
    event_id uuid,
    created_at timestamptz
)
