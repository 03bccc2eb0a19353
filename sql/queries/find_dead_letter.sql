-- name: find_dead_letter
-- purpose: One dead letter whole, but of key and value only their beginnings.
SELECT
    dlq_id, status, failure_class, code, message, disposition, attempts, failure_ids, first_failed_at, last_failed_at,
    next_attempt_at, recorded_at, updated_at, consumer_group, function, build, traceparent, original_topic,
    original_partition, original_offset, original_timestamp, event_id, event_source, signal_id, record_headers,
    encode(sha256, 'hex') AS sha256,
    octet_length(record_key) AS key_bytes,
    substring(record_key FOR %(preview_bytes)s) AS key_beginning,
    octet_length(record_value) AS value_bytes,
    substring(record_value FOR %(preview_bytes)s) AS value_beginning
FROM dead_letters
WHERE dlq_id = %(dlq_id)s
