-- name: job_letters
-- purpose: The next dead letters of a job, beyond its cursor; what failed after the job was ordered is not part of it.
-- Nor is what had failed before and was read from the dead-letter topic only afterwards: no plan has counted it.
SELECT
    dlq_id, original_topic, record_key, record_value, record_headers, sha256, signal_id, consumer_group, failure_class,
    attempts, traceparent, first_failed_at
FROM dead_letters
WHERE
    status IN ('scheduled', 'quarantined')
    AND original_topic = any(%(topics)s::text[])
    AND consumer_group <> 'confirm-outbox'
    AND (%(failure_class)s::text IS NULL OR failure_class = %(failure_class)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (%(since)s::timestamptz IS NULL OR last_failed_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR last_failed_at < %(until)s)
    AND (%(partition)s::int IS NULL OR original_partition = %(partition)s)
    AND (%(offset_from)s::bigint IS NULL OR original_offset >= %(offset_from)s)
    AND (%(offset_until)s::bigint IS NULL OR original_offset < %(offset_until)s)
    AND (%(ids)s::uuid[] IS NULL OR dlq_id = any(%(ids)s::uuid[]))
    AND last_failed_at <= %(ordered_at)s
    AND recorded_at <= %(ordered_at)s
    AND (%(after)s::uuid IS NULL OR dlq_id > %(after)s)
ORDER BY dlq_id
LIMIT %(limit)s
