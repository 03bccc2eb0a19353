-- Records an audit that ends now, and keeps the newest 1,000: an audit every minute is remembered for most of a day.
CREATE OR REPLACE FUNCTION record_audit_run(took interval, audited bigint, missing bigint, violations jsonb)
RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    INSERT INTO audit_runs (started_at, finished_at, audited, missing, violations, ok)
    VALUES (now() - took, now(), audited, missing, violations, violations = '{}');

    DELETE FROM audit_runs
    WHERE run_id <= (SELECT run_id FROM audit_runs ORDER BY run_id DESC OFFSET 1000 LIMIT 1);
$$;
