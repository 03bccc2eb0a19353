-- Who may call: users, their rotating refresh tokens, and API keys. Secrets are stored as hashes only.
CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username text NOT NULL UNIQUE CHECK (octet_length(username) BETWEEN 1 AND 256),
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    scopes text[] NOT NULL DEFAULT '{}',
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    password_changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE refresh_tokens (
    jti uuid PRIMARY KEY,
    family uuid NOT NULL,  -- all tokens of one login: reuse of a spent one revokes them together
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor uuid,  -- what the rotation gave: a repeat within the grace period gets the same answer
    revoked_at timestamptz,
    CHECK (expires_at > issued_at)
);

-- revocation of a family after reuse
CREATE INDEX refresh_tokens_family_idx ON refresh_tokens (family);

-- revocation of a user's logins, and the foreign key's cascade
CREATE INDEX refresh_tokens_user_idx ON refresh_tokens (user_id);

-- purge of what has expired
CREATE INDEX refresh_tokens_expiry_idx ON refresh_tokens (expires_at);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL UNIQUE CHECK (octet_length(name) BETWEEN 1 AND 256),
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),  -- sha256 of a random key
    scopes text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
