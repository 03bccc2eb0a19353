-- name: anomalies_containing
-- purpose: Anomalies by any part of the signal that they came from.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id, context
FROM anomalies
WHERE context @> %(part)s::jsonb
LIMIT %(limit)s
