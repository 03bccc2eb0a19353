-- name: record_access_event
-- purpose: Note what happened to a credential.
INSERT INTO access_events (kind, actor, subject, address, correlation_id, detail)
VALUES (%(kind)s, %(actor)s, %(subject)s, %(address)s, %(correlation_id)s, %(detail)s)
