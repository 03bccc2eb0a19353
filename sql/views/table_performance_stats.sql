-- How each table is used and how large it is: scans, tuples, share of cheap (HOT) updates, share of dead rows, sizes.
DROP VIEW IF EXISTS table_performance_stats;
CREATE VIEW table_performance_stats AS
SELECT
    relname AS table_name,
    seq_scan,
    seq_tup_read,
    coalesce(idx_scan, 0) AS idx_scan,
    coalesce(idx_tup_fetch, 0) AS idx_tup_fetch,
    n_tup_ins AS rows_inserted,
    n_tup_upd AS rows_updated,
    n_tup_del AS rows_deleted,
    n_live_tup AS live_rows,
    n_dead_tup AS dead_rows,
    round(n_tup_hot_upd::numeric / nullif(n_tup_upd, 0), 4) AS hot_update_share,
    round(n_dead_tup::numeric / nullif(n_live_tup + n_dead_tup, 0), 4) AS dead_row_share,
    pg_table_size(relid) AS table_bytes,
    pg_indexes_size(relid) AS index_bytes,
    pg_total_relation_size(relid) AS total_bytes,
    greatest(last_vacuum, last_autovacuum) AS last_vacuumed_at,
    greatest(last_analyze, last_autoanalyze) AS last_analyzed_at
FROM pg_stat_user_tables
WHERE schemaname = 'public';
