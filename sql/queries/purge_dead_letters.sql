-- name: purge_dead_letters
-- purpose: Delete one bounded batch of expired settled dead letters; return how many.
SELECT purge_dead_letters(now() - %(older_than)s, %(batch)s::int)
