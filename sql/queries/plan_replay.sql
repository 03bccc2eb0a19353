-- name: plan_replay
-- purpose: The dead letters that a replay by filter would publish again, in the order in which a job takes them.
-- What was replayed or resolved has its outcome; what is scheduled or in quarantine waits for one.
SELECT dlq_id, failure_class, code, event_id, event_source, attempts, first_failed_at, last_failed_at
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
ORDER BY dlq_id
LIMIT %(limit)s
