-- name: outbox_status
-- purpose: How many outbox rows wait and since when, how many are confirmed, and what the slot retains.
-- A slot whose log was deleted, because max_slot_wal_keep_size was reached, is as good as none.
SELECT
    lag.pending,
    lag.oldest_pending_at,
    lag.oldest_pending_seconds,
    (SELECT count(*) FROM outbox_events WHERE processed_at IS NOT NULL) AS confirmed,
    slot.active AS slot_active,
    slot.retained_bytes
FROM outbox_lag_stats AS lag
LEFT JOIN slot_lag_stats AS slot ON slot.slot_name = 'outbox_slot' AND slot.wal_status IS DISTINCT FROM 'lost'
