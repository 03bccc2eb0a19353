-- name: trace_search
-- purpose: What carries a text as its event id or as its correlation id; reads whole tables, so callers bound its time.
-- Headers of a dead letter are searched as the text that they were recorded as: json refuses to unpack a name that has
-- U+0000, and a quote inside of a name or value is escaped, so the pattern is found nowhere else.
SELECT 'event' AS kind, id AS signal_id, NULL::uuid AS dlq_id
FROM signals
WHERE extensions ->> 'id' = %(text)s AND (%(source)s::text IS NULL OR source = %(source)s)
UNION ALL
SELECT 'event of a dead letter' AS kind, signal_id, dlq_id
FROM dead_letters
WHERE event_id = %(text)s AND (%(source)s::text IS NULL OR event_source = %(source)s)
UNION ALL
SELECT 'correlation id' AS kind, id AS signal_id, NULL AS dlq_id
FROM signals
WHERE extensions ->> 'correlationid' = %(text)s
UNION ALL
SELECT 'correlation id' AS kind, signal_id, NULL AS dlq_id
FROM superseded_signals
WHERE extensions ->> 'correlationid' = %(text)s
UNION ALL
SELECT 'correlation id' AS kind, signal_id, dlq_id
FROM dead_letters
WHERE
    strpos(
        record_headers::text,
        '["ce_correlationid", "' || translate(encode(convert_to(%(text)s, 'UTF8'), 'base64'), E'\n', '') || '"]'
    ) > 0
LIMIT %(limit)s
