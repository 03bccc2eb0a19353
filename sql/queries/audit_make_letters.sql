-- name: audit_make_letters
-- purpose: A place for what Kafka holds of dead letters that the table does not: by failure and by signal.
CREATE TEMP TABLE audit_letters (
    key uuid,
    place text,
    PRIMARY KEY (key, place)
)
