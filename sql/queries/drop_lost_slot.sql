-- name: drop_lost_slot
-- purpose: Drop the outbox's slot if its log is gone: nothing can be read through it, and its name is in the way.
SELECT pg_drop_replication_slot(slot_name)
FROM pg_replication_slots
WHERE slot_name = 'outbox_slot' AND wal_status = 'lost' AND NOT active
