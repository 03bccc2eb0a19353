-- What each audit found (make verify); the newest feeds the metrics of replay-dlq. Written by record_audit_run.
CREATE TABLE audit_runs (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    audited bigint NOT NULL CHECK (audited >= 0),
    missing bigint NOT NULL CHECK (missing >= 0),
    violations jsonb NOT NULL CHECK (jsonb_typeof(violations) = 'object'),  -- count by kind, without zeros
    ok boolean NOT NULL,
    CONSTRAINT audit_runs_ok_is_without_violations CHECK (ok = (violations = '{}'))
);
