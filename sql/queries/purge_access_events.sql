-- name: purge_access_events
-- purpose: Delete one bounded batch of old access events; return how many.
SELECT purge_access_events(now() - %(older_than)s, %(batch)s::int)
