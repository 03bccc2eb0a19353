-- name: confirm_outbox
-- purpose: Stamp the outbox rows whose event came back from Kafka; a row already stamped keeps its time.
-- Locked in the order of ids, so that two confirmers of the same rows wait instead of deadlocking.
UPDATE outbox_events SET processed_at = now()
WHERE id IN (
    SELECT id FROM outbox_events
    WHERE id = any(%(ids)b::uuid[]) AND processed_at IS NULL
    ORDER BY id
    FOR UPDATE
)
