-- The pending list of each GIN index: entries that every search reads one by one until they are merged.
DROP VIEW IF EXISTS gin_pending_stats;
CREATE VIEW gin_pending_stats AS
SELECT
    t.relname AS table_name,
    c.relname AS index_name,
    g.pending_pages,
    g.pending_tuples
FROM pg_index AS i
INNER JOIN pg_class AS c ON i.indexrelid = c.oid
INNER JOIN pg_class AS t ON i.indrelid = t.oid
INNER JOIN pg_am AS m ON c.relam = m.oid
CROSS JOIN LATERAL pgstatginindex(c.oid::regclass) AS g
WHERE m.amname = 'gin' AND t.relnamespace = 'public'::regnamespace;
