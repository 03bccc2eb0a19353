-- name: gin_pending
-- purpose: What waits in the pending list of each GIN index.
SELECT table_name, index_name, pending_pages, pending_tuples
FROM gin_pending_stats
ORDER BY table_name, index_name
