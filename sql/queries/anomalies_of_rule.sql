-- name: anomalies_of_rule
-- purpose: The newest anomalies of the rule that their context names.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id
FROM anomalies
WHERE left(context ->> 'rule', 128) = left(%(rule)s, 128)
ORDER BY detection_ts DESC
LIMIT %(limit)s
