-- Signals: one row per event identity, the newest accepted version of it.
-- The checks keep out what an index of this table could not hold, so that no index refuses a row of an accepted event.
CREATE TABLE signals (
    id uuid PRIMARY KEY,  -- finds the row of a redelivered event (ON CONFLICT)
    user_id text CHECK (octet_length(user_id) <= 256),
    source text NOT NULL CHECK (octet_length(source) <= 256),
    type text CHECK (octet_length(type) <= 256),
    event_ts timestamptz NOT NULL CHECK (isfinite(event_ts)),
    ingest_ts timestamptz NOT NULL DEFAULT now(),
    payload jsonb CHECK (octet_length(payload ->> 'session_id') <= 256),
    extensions jsonb
)
-- Inserts alone must trigger vacuum often enough to keep the visibility map and the BRIN summaries fresh.
WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- query signals_of_user_by_type: what one user did, newest first
CREATE INDEX signals_user_type_ts_idx ON signals (user_id, type, event_ts DESC);

-- query signals_of_type: newest signals of a type
CREATE INDEX signals_type_ts_idx ON signals (type, event_ts DESC);

-- query signals_of_session: a session in order; partial, because most foreign events have no session
CREATE INDEX signals_session_ts_idx ON signals (left(payload ->> 'session_id', 128), event_ts)
WHERE (payload ->> 'session_id') IS NOT NULL;

-- query signals_containing: any containment on the payload. jsonb_path_ops costs half of the default operator class to
-- write; the pending list takes the writes of many batches before it is merged.
CREATE INDEX signals_payload_idx ON signals USING gin (payload jsonb_path_ops)
WITH (fastupdate = on, gin_pending_list_limit = 16384);

-- query signals_since: a window of event time; many ranges per block survive late events
CREATE INDEX signals_event_ts_brin_idx ON signals USING brin (event_ts timestamptz_minmax_multi_ops)
WITH (pages_per_range = 32, autosummarize = on);

-- view signal_throughput, function purge_signals: windows and age by time of arrival
CREATE INDEX signals_ingest_ts_brin_idx ON signals USING brin (ingest_ts)
WITH (pages_per_range = 32, autosummarize = on);

-- query signals_with_data: signals by their data value, newest first. Only the first characters are indexed:
-- a B-tree refuses a key above about 2,700 bytes.
CREATE INDEX signals_data_ts_idx ON signals (left(payload ->> 'data', 128), event_ts DESC)
WHERE (payload ->> 'data') IS NOT NULL;

-- query signals_late: what arrived more than 5 minutes after it happened; sparse, so it costs almost nothing
CREATE INDEX signals_late_idx ON signals (ingest_ts DESC)
WHERE ingest_ts - event_ts > interval '5 minutes';

-- query signals_from_the_future: senders whose clock runs ahead by more than a minute
CREATE INDEX signals_future_idx ON signals (ingest_ts DESC)
WHERE event_ts - ingest_ts > interval '1 minute';

-- Versions that were accepted and later replaced. Two roles read the same events at their own pace: detect-anomaly
-- finds here that a version it meets late was accepted by process-signal, and still counts its anomalies.
CREATE TABLE superseded_signals (
    signal_id uuid,
    event_ts timestamptz,  -- rises with every version, so the pair is the version
    user_id text,
    type text,
    payload jsonb,
    extensions jsonb,
    superseded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (signal_id, event_ts)
);
