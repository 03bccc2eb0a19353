-- The replication slots of this database: whether somebody reads, and how much log the server keeps for them.
-- No row for outbox_slot is an alarm: without its slot Debezium cannot know what it has missed.
DROP VIEW IF EXISTS slot_lag_stats;
CREATE VIEW slot_lag_stats AS
SELECT
    slot_name::text,
    active,
    wal_status,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint AS retained_bytes,
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint AS unconfirmed_bytes,
    safe_wal_size AS bytes_until_lost
FROM pg_replication_slots
WHERE database = current_database();
