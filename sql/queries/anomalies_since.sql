-- name: anomalies_since
-- purpose: Anomalies found in a window that ends now.
SELECT id, user_id, anomaly_type, severity, detection_ts, signal_event_id
FROM anomalies
WHERE detection_ts >= now() - %(window)s
