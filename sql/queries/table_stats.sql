-- name: table_stats
-- purpose: Size and use of every table, largest first.
SELECT
    table_name, live_rows, dead_rows, seq_scan, idx_scan, hot_update_share, dead_row_share, table_bytes, index_bytes
FROM table_performance_stats
ORDER BY total_bytes DESC, table_name
