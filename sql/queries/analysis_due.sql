-- name: analysis_due
-- purpose: Whether one of the pipeline's tables was not analysed on purpose for this long.
-- Analyses of autovacuum do not count: they summarize no BRIN range.
SELECT bool_or(last_analyze IS NULL OR last_analyze < now() - %(every)s)
FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname IN ('signals', 'anomalies', 'outbox_events', 'dead_letters')
