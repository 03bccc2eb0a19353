-- Outbox: the anomaly events to publish, written in the transaction of the anomaly and read by Debezium.
-- Rows are written by INSERT … SELECT only. Never COPY into this table: the rows of one COPY share a log position, and
-- a restarted connector may skip the rest of them.
CREATE TABLE outbox_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),  -- the ce_id of the event; confirm-outbox finds the row by it
    eventtype text NOT NULL DEFAULT 'anomaly_detected' CHECK (octet_length(eventtype) <= 256),
    aggregateid text NOT NULL CHECK (octet_length(aggregateid) <= 256),
    aggregatetype text NOT NULL DEFAULT 'anomaly' CHECK (octet_length(aggregatetype) <= 256),
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    -- ce_subject: no other column holds the user or, without one, the signal; a header may not be null
    subject text NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 256),
    -- ce_specversion: Kafka Connect's InsertHeader turns the literal 1.0 into the number 1, so a column carries it
    specversion text NOT NULL DEFAULT '1.0'
);

-- view outbox_lag_stats, query outbox_pending: what is not confirmed yet, oldest first; small whatever the table's size
CREATE INDEX outbox_events_pending_idx ON outbox_events (created_at, id) WHERE processed_at IS NULL;

-- query outbox_pending_of_type: the same for one event type
CREATE INDEX outbox_events_pending_type_idx ON outbox_events (eventtype, created_at) WHERE processed_at IS NULL;

-- query outbox_of_aggregate, function purge_anomalies: the events of one anomaly
CREATE INDEX outbox_events_aggregate_idx ON outbox_events (aggregatetype, aggregateid, created_at);

-- query outbox_of_signal: the events that a signal led to; a UUID as text always fits a B-tree
CREATE INDEX outbox_events_signal_idx ON outbox_events (left(payload ->> 'signal_event_id', 64));

-- query outbox_created_since: a window of creation time
CREATE INDEX outbox_events_created_at_brin_idx ON outbox_events USING brin (created_at)
WITH (pages_per_range = 32, autosummarize = on);

-- query outbox_confirmed_since: what was confirmed in a window
CREATE INDEX outbox_events_processed_at_brin_idx ON outbox_events USING brin (processed_at)
WITH (pages_per_range = 32, autosummarize = on);
