-- What happened to credentials, append-only: the roles that write it cannot read, change or delete it.
CREATE TABLE access_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind ~ '^[a-z_]{1,64}$'),
    actor text CHECK (octet_length(actor) <= 300),  -- who did it; null: whoever it was did not prove it
    subject text CHECK (octet_length(subject) <= 300),  -- the user or key that it happened to; null: there is none
    address text CHECK (octet_length(address) <= 64),  -- client address of a request; null for a command
    correlation_id text CHECK (octet_length(correlation_id) <= 256),
    detail jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object' AND pg_column_size(detail) <= 2048)
);

-- purge by age
CREATE INDEX access_events_at_idx ON access_events (at);

-- the bound on failed logins, which strangers cause
CREATE INDEX access_events_failed_idx ON access_events (id) WHERE kind = 'login_failed';

-- whether a login was ended, which is asked with every token
CREATE INDEX refresh_tokens_revoked_idx ON refresh_tokens (family) WHERE revoked_at IS NOT NULL;

-- To the hour: enough to find keys that nobody uses, and no write for every call.
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;
