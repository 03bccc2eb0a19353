-- Dead letters: records that were not processed, byte for byte, with why and when they are tried again.
CREATE TABLE dead_letters (
    dlq_id uuid PRIMARY KEY,  -- of the first failure: uuid5 of consumer group, topic, partition and offset
    original_topic text NOT NULL CHECK (octet_length(original_topic) <= 256),
    original_partition int NOT NULL,
    original_offset bigint NOT NULL,
    original_timestamp timestamptz,
    record_key bytea,
    record_value bytea,
    -- [name, base64 or null] pairs: order and repetition are kept; json, as jsonb refuses a name with U+0000
    record_headers json NOT NULL DEFAULT '[]',
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),  -- of key and value: a replayed record proves itself by it
    event_id text,
    event_source text,
    signal_id uuid,  -- the row that the event would have, when its identity can be read: replay looks it up
    failure_class text NOT NULL CHECK (
        failure_class IN ('invalid', 'rejected', 'contention', 'dependency', 'overload', 'endpoint', 'unexpected')
    ),
    code text NOT NULL CHECK (octet_length(code) <= 1024),
    message text NOT NULL DEFAULT '' CHECK (octet_length(message) <= 1024),
    disposition text NOT NULL CHECK (disposition IN ('poison', 'rejected', 'exhausted', 'expired')),
    attempts int NOT NULL DEFAULT 1 CHECK (attempts >= 1),  -- failures counted here, across replays
    failure_ids uuid[] NOT NULL,  -- the dlq-id of each failure counted: a redelivered failure is not counted again
    first_failed_at timestamptz NOT NULL,
    last_failed_at timestamptz NOT NULL,
    consumer_group text NOT NULL,
    function text,
    build text,
    traceparent text,
    status text NOT NULL CHECK (status IN ('scheduled', 'replayed', 'resolved', 'quarantined')),
    next_attempt_at timestamptz,  -- while taken for replay: the end of the lease
    recorded_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- a scheduled row without a time would never be due
    CONSTRAINT dead_letters_scheduled_is_due CHECK (status <> 'scheduled' OR next_attempt_at IS NOT NULL)
);

-- query take_due_dead_letters: what is due, oldest first; partial, so that it holds the unresolved rows only
CREATE INDEX dead_letters_due_idx ON dead_letters (next_attempt_at, dlq_id) WHERE status = 'scheduled';

-- query list_dead_letters: newest first with a cursor
CREATE INDEX dead_letters_listing_idx ON dead_letters (last_failed_at DESC, dlq_id);

-- view dead_letter_summary and the class filter of the listing
CREATE INDEX dead_letters_class_idx ON dead_letters (failure_class, code, last_failed_at DESC);

-- make verify: is this event accounted for as a dead letter
CREATE INDEX dead_letters_signal_idx ON dead_letters (signal_id) WHERE signal_id IS NOT NULL;

-- query list_dead_letters by position, make verify for records whose identity cannot be read
CREATE INDEX dead_letters_position_idx ON dead_letters (original_topic, original_partition, original_offset);

-- Replays ordered over HTTP: what was asked, by whom, and how far it is. A killed replay resumes from its cursor.
CREATE TABLE replay_jobs (
    job_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    idempotency_key text UNIQUE CHECK (octet_length(idempotency_key) <= 256),
    queue text NOT NULL DEFAULT 'signal-events-dlq',
    plan text NOT NULL,  -- hash of the dry run that the execution quotes
    filter jsonb NOT NULL,
    requested_by text NOT NULL,
    reason text,
    status text NOT NULL DEFAULT 'running'
    CHECK (status IN ('running', 'paused', 'cancelled', 'completed', 'failed')),
    total int NOT NULL CHECK (total >= 0),
    replayed int NOT NULL DEFAULT 0,
    skipped int NOT NULL DEFAULT 0,
    cursor uuid,  -- last dlq_id that was acknowledged
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- one job at a time per queue: the second starter gets a unique violation instead of a race
CREATE UNIQUE INDEX replay_jobs_active_key ON replay_jobs (queue) WHERE status IN ('running', 'paused');
