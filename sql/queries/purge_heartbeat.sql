-- name: purge_heartbeat
-- purpose: Delete one bounded batch of expired heartbeats of the connector; return how many.
SELECT purge_heartbeat(now() - %(older_than)s, %(batch)s::int)
