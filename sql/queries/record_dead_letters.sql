-- name: record_dead_letters
-- purpose: Record a batch of dead letters; a failure recorded before changes nothing.
-- A failure that names an earlier dead letter counts as its next attempt, but only if that row holds the same bytes:
-- headers can be forged. Of several failures of one dead letter in one batch, the latest is counted.
WITH incoming AS (
    SELECT *
    FROM unnest(
        %(failure_ids)b::uuid[], %(claimed_ids)b::uuid[], %(topics)b::text[], %(partitions)b::int[],
        %(offsets)b::bigint[], %(timestamps)b::timestamptz[], %(keys)b::bytea[], %(values)b::bytea[],
        %(headers)b::text[], %(digests)b::bytea[], %(event_ids)b::text[], %(event_sources)b::text[],
        %(signal_ids)b::uuid[], %(classes)b::text[], %(codes)b::text[], %(messages)b::text[],
        %(dispositions)b::text[], %(first_failed)b::timestamptz[], %(last_failed)b::timestamptz[],
        %(groups)b::text[], %(functions)b::text[], %(builds)b::text[], %(traceparents)b::text[],
        %(statuses)b::text[], %(next_attempts)b::timestamptz[]
    ) AS i (
        failure_id, claimed_id, original_topic, original_partition, original_offset, original_timestamp, record_key,
        record_value, record_headers, sha256, event_id, event_source, signal_id, failure_class, code, message,
        disposition, first_failed_at, last_failed_at, consumer_group, function, build, traceparent, status,
        next_attempt_at
    )
), again AS (
    SELECT DISTINCT ON (d.dlq_id) d.dlq_id, i.*
    FROM incoming AS i
    INNER JOIN dead_letters AS d ON i.claimed_id = d.dlq_id AND i.sha256 = d.sha256
    ORDER BY d.dlq_id ASC, i.last_failed_at DESC
), counted AS (
    UPDATE dead_letters AS d
    SET
        attempts = d.attempts + 1,
        failure_ids = d.failure_ids || again.failure_id,
        last_failed_at = greatest(d.last_failed_at, again.last_failed_at),
        failure_class = again.failure_class,
        code = again.code,
        message = again.message,
        disposition = again.disposition,
        status = again.status,
        next_attempt_at = again.next_attempt_at,
        updated_at = now()
    FROM again
    WHERE d.dlq_id = again.dlq_id AND NOT again.failure_id = any(d.failure_ids)
    RETURNING d.dlq_id
), inserted AS (
    INSERT INTO dead_letters (
        dlq_id, failure_ids, original_topic, original_partition, original_offset, original_timestamp, record_key,
        record_value, record_headers, sha256, event_id, event_source, signal_id, failure_class, code, message,
        disposition, first_failed_at, last_failed_at, consumer_group, function, build, traceparent, status,
        next_attempt_at
    )
    SELECT
        failure_id, ARRAY[failure_id], original_topic, original_partition, original_offset, original_timestamp,
        record_key, record_value, record_headers::json, sha256, event_id, event_source, signal_id, failure_class,
        code, message, disposition, first_failed_at, last_failed_at, consumer_group, function, build, traceparent,
        status, next_attempt_at
    FROM incoming
    WHERE
        NOT EXISTS (
            SELECT FROM dead_letters AS d WHERE d.dlq_id = incoming.claimed_id AND d.sha256 = incoming.sha256
        )
    ORDER BY failure_id
    ON CONFLICT (dlq_id) DO NOTHING
    RETURNING dlq_id
)
SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT count(*) FROM counted) AS counted
