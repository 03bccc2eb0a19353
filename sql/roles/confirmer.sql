-- confirm-outbox: stamps outbox rows, by id.
GRANT SELECT (id, processed_at) ON outbox_events TO pipeline_confirmer;
GRANT UPDATE (processed_at) ON outbox_events TO pipeline_confirmer;
