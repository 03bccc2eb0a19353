-- name: doctor_scripts
-- purpose: The files of SQL that were applied to this database, with their digests.
SELECT name, sha256
FROM schema_migrations
ORDER BY name
