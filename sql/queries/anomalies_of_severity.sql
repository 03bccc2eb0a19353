-- name: anomalies_of_severity
-- purpose: The newest anomalies of one severity.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id
FROM anomalies
WHERE severity = %(severity)s
ORDER BY detection_ts DESC
LIMIT %(limit)s
