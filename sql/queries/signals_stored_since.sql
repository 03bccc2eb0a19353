-- name: signals_stored_since
-- purpose: How many signals were stored in a window that ends now.
SELECT count(*) AS signals
FROM signals
WHERE ingest_ts >= now() - %(window)s
