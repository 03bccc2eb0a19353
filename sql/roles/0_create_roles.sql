-- One group role per job, without login: a login role is granted exactly one of them. Roles belong to the server and
-- not to a database, so another migration may create one at this moment; that is no error.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[
        'pipeline_processor', 'pipeline_detector', 'pipeline_confirmer', 'pipeline_replayer', 'pipeline_auth',
        'pipeline_reader', 'pipeline_maintainer', 'pipeline_cdc', 'pipeline_gate', 'pipeline_access'
    ] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

-- Nobody but the owner creates objects here or runs the owner's functions, unless a file beside this one says so.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
