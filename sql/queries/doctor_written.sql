-- name: doctor_written
-- purpose: Signals written since the server's statistics began: whether the use of indexes says anything yet.
SELECT n_tup_ins::bigint AS signals
FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname = 'signals'
