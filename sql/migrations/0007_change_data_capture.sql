-- What Debezium reads. The heartbeat is inserted by the connector itself: without changes of its own the slot would
-- retain the log of everything else that the server writes. Old beats are purged by purge_heartbeat.
CREATE TABLE debezium_heartbeat (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    beat_at timestamptz NOT NULL DEFAULT now()
);

-- Inserts only: confirmations (updates of processed_at) and purges (deletes) are never streamed.
CREATE PUBLICATION outbox_publication FOR TABLE outbox_events, debezium_heartbeat WITH (publish = 'insert');
