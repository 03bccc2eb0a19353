-- How often each index is used. One that backs no constraint and shows no scan after a day of traffic has not earned
-- what it costs every insert.
DROP VIEW IF EXISTS index_usage_stats;
CREATE VIEW index_usage_stats AS
SELECT
    s.relname AS table_name,
    s.indexrelname AS index_name,
    s.idx_scan AS scans,
    s.idx_tup_read AS entries_read,
    pg_relation_size(s.indexrelid) AS index_bytes,
    i.indisunique AS backs_constraint,
    s.idx_scan = 0 AND NOT i.indisunique AS unused
FROM pg_stat_user_indexes AS s
INNER JOIN pg_index AS i ON s.indexrelid = i.indexrelid
WHERE s.schemaname = 'public';
