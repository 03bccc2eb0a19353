-- name: doctor_server
-- purpose: The server's version and its clock.
SELECT
    current_setting('server_version_num')::integer AS version_number,
    current_setting('server_version') AS version,
    extract(EPOCH FROM clock_timestamp())::double precision AS clock_seconds
