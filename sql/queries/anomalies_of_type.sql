-- name: anomalies_of_type
-- purpose: The newest anomalies of one type.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id
FROM anomalies
WHERE anomaly_type = %(anomaly_type)s
ORDER BY detection_ts DESC
LIMIT %(limit)s
