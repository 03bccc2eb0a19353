-- confirm-outbox: stamps outbox rows, by id, and watches what waits and how the slot does.
GRANT SELECT (id, processed_at, created_at) ON outbox_events TO pipeline_confirmer;
GRANT UPDATE (processed_at) ON outbox_events TO pipeline_confirmer;
GRANT SELECT ON slot_lag_stats TO pipeline_confirmer;
