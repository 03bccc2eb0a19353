-- How far each table has been purged: the audit does not call an event missing that was purged.
CREATE TABLE purge_marks (
    table_name text PRIMARY KEY,
    purged_before timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- pgstatginindex: the length of a GIN index's pending list, for view gin_pending_stats
CREATE EXTENSION IF NOT EXISTS pgstattuple;
