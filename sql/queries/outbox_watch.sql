-- name: outbox_watch
-- purpose: What waits in the outbox and since when, and how its slot does; no columns of a slot that is missing.
-- A slot whose log was deleted, because max_slot_wal_keep_size was reached, is as good as none.
SELECT
    waiting.pending,
    coalesce(extract(EPOCH FROM now() - waiting.oldest), 0)::double precision AS oldest_pending_seconds,
    slot.active AS slot_active,
    slot.retained_bytes,
    slot.bytes_until_lost AS headroom_bytes
FROM (SELECT count(*) AS pending, min(created_at) AS oldest FROM outbox_events WHERE processed_at IS NULL) AS waiting
LEFT JOIN slot_lag_stats AS slot ON slot.slot_name = 'outbox_slot' AND slot.wal_status IS DISTINCT FROM 'lost'
