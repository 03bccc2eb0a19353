-- name: load_stored
-- purpose: Which of these signals of one source are stored, and since when.
SELECT id, ingest_ts FROM signals WHERE id = any(%(ids)b::uuid[]) AND source = %(source)s
