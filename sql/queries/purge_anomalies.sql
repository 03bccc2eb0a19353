-- name: purge_anomalies
-- purpose: Delete one bounded batch of expired anomalies with their outbox rows; return how many.
SELECT purge_anomalies(now() - %(older_than)s, %(batch)s::int)
