-- name: anomalies_in_hour
-- purpose: How many anomalies of each type one UTC hour had.
SELECT anomaly_type, count(*) AS anomalies
FROM anomalies
WHERE date_trunc('hour', detection_ts AT TIME ZONE 'UTC') = %(hour)s::timestamp
GROUP BY anomaly_type
ORDER BY anomaly_type
