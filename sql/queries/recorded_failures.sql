-- name: recorded_failures
-- purpose: The failures counted for dead letters that replayed records claim to be; forged claims find none.
SELECT d.dlq_id, d.attempts, d.failure_ids
FROM unnest(%(ids)b::uuid[], %(digests)b::bytea[]) AS c (dlq_id, sha256)
INNER JOIN dead_letters AS d ON c.dlq_id = d.dlq_id AND c.sha256 = d.sha256
