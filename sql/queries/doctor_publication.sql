-- name: doctor_publication
-- purpose: What the publication of the outbox streams; no row when it is missing.
SELECT
    p.pubinsert AND NOT p.pubupdate AND NOT p.pubdelete AND NOT p.pubtruncate AS inserts_only,
    array(
        SELECT t.tablename::text FROM pg_publication_tables AS t WHERE t.pubname = p.pubname ORDER BY t.tablename
    ) AS tables
FROM pg_publication AS p
WHERE p.pubname = 'outbox_publication'
