-- signal-pipeline access: what auth may, and to show what happened to users and keys.
GRANT pipeline_auth TO pipeline_access;
GRANT SELECT ON access_events TO pipeline_access;
