-- name: purge_signals
-- purpose: Delete one bounded batch of expired signals that no anomaly refers to; return how many.
SELECT purge_signals(now() - %(older_than)s, %(batch)s::int)
