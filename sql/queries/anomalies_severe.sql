-- name: anomalies_severe
-- purpose: The newest anomalies that want a person.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id
FROM anomalies
WHERE severity >= 3
ORDER BY detection_ts DESC
LIMIT %(limit)s
