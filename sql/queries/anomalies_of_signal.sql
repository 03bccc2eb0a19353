-- name: anomalies_of_signal
-- purpose: What the rules found in one signal.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id, context
FROM anomalies
WHERE signal_event_id = %(signal_id)s
