-- A job may be ordered slower than replay goes by itself: dead letters a second; null takes what replay may.
ALTER TABLE replay_jobs ADD COLUMN rate int CHECK (rate >= 1);
