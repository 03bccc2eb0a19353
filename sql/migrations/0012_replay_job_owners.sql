-- An idempotency key belongs to who sends it: with one key for all, a stranger's guess would have returned another's job.
ALTER TABLE replay_jobs DROP CONSTRAINT replay_jobs_idempotency_key_key;
ALTER TABLE replay_jobs ADD CONSTRAINT replay_jobs_owner_key UNIQUE (requested_by, idempotency_key);
