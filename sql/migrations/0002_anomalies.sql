-- Anomalies: what the rules found, at most once per signal and rule, never withdrawn.
CREATE TABLE anomalies (
    id uuid PRIMARY KEY,  -- finds the row of a redelivered event (ON CONFLICT); joins from anomaly-events
    user_id text CHECK (octet_length(user_id) <= 256),
    anomaly_type text NOT NULL CHECK (octet_length(anomaly_type) <= 256),
    severity int CHECK (severity BETWEEN 1 AND 5),
    detection_ts timestamptz NOT NULL DEFAULT now(),
    signal_event_id uuid NOT NULL REFERENCES signals (id),
    context jsonb,
    -- one anomaly per signal and rule even if two releases derive the id differently; the foreign key searches by it
    CONSTRAINT anomalies_signal_type_key UNIQUE (signal_event_id, anomaly_type)
)
WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- query anomalies_of_user: newest anomalies of a user, answered from the index alone
CREATE INDEX anomalies_user_ts_idx ON anomalies (user_id, detection_ts DESC) INCLUDE (anomaly_type, severity);

-- query anomalies_of_type: newest anomalies of a rule
CREATE INDEX anomalies_type_ts_idx ON anomalies (anomaly_type, detection_ts DESC);

-- query anomalies_of_severity: newest anomalies of a severity
CREATE INDEX anomalies_severity_ts_idx ON anomalies (severity, detection_ts DESC);

-- query anomalies_severe: the newest of everything that wants a person; partial, because few are severe
CREATE INDEX anomalies_severe_idx ON anomalies (detection_ts DESC) WHERE severity >= 3;

-- query anomalies_since, function purge_anomalies: a window of detection time
CREATE INDEX anomalies_detection_ts_brin_idx ON anomalies USING brin (detection_ts)
WITH (pages_per_range = 32, autosummarize = on);

-- query anomalies_containing: anomalies by any part of the signal they came from
CREATE INDEX anomalies_context_idx ON anomalies USING gin (context jsonb_path_ops)
WITH (fastupdate = on, gin_pending_list_limit = 4096);

-- query anomalies_of_rule: anomalies by the rule as it was written into the context
CREATE INDEX anomalies_rule_idx ON anomalies (left(context ->> 'rule', 128), detection_ts DESC);

-- query anomalies_in_hour: the anomalies of one UTC hour by type, as the dashboards group them
CREATE INDEX anomalies_hour_idx ON anomalies (date_trunc('hour', detection_ts AT TIME ZONE 'UTC'), anomaly_type);
