-- name: list_dead_letters
-- purpose: One page of dead letters by filter, newest failure first, beginning after a cursor.
SELECT
    dlq_id, status, failure_class, code, message, disposition, attempts, first_failed_at, last_failed_at,
    next_attempt_at, consumer_group, original_topic, original_partition, original_offset, event_id, event_source,
    signal_id
FROM dead_letters
WHERE
    (%(failure_class)s::text IS NULL OR failure_class = %(failure_class)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (%(since)s::timestamptz IS NULL OR last_failed_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR last_failed_at < %(until)s)
    AND (%(partition)s::int IS NULL OR original_partition = %(partition)s)
    AND (%(offset_from)s::bigint IS NULL OR original_offset >= %(offset_from)s)
    AND (%(offset_until)s::bigint IS NULL OR original_offset < %(offset_until)s)
    AND (%(ids)s::uuid[] IS NULL OR dlq_id = any(%(ids)s::uuid[]))
    AND (
        %(after_time)s::timestamptz IS NULL
        OR last_failed_at < %(after_time)s
        OR (last_failed_at = %(after_time)s AND dlq_id > %(after_id)s::uuid)
    )
ORDER BY last_failed_at DESC, dlq_id ASC
LIMIT %(limit)s
