-- The extensions that belong to an event itself. Correlation and trace ids belong to one sending of it: the same event
-- sent again carries others, and is the same event.
CREATE OR REPLACE FUNCTION own_extensions(extensions jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT nullif(extensions - '{correlationid,traceparent,tracestate}'::text[], '{}'::jsonb)
$$;
