-- name: newest_access_events
-- purpose: The newest access events, of one kind or subject where that is asked.
SELECT at, kind, actor, subject, address, correlation_id, detail
FROM access_events
WHERE
    (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(subject)s::text IS NULL OR subject = %(subject)s)
ORDER BY id DESC
LIMIT %(limit)s
