-- name: anomalies_of_user
-- purpose: The newest anomalies of a user, answered by the index alone.
SELECT anomaly_type, severity, detection_ts
FROM anomalies
WHERE user_id = %(user_id)s
ORDER BY detection_ts DESC
LIMIT %(limit)s
