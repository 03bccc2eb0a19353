-- Dead letters by what happened to them and why.
DROP VIEW IF EXISTS dead_letter_summary;
CREATE VIEW dead_letter_summary AS
SELECT
    status,
    failure_class,
    code,
    count(*) AS letters,
    max(attempts) AS most_attempts,
    min(first_failed_at) AS oldest_failure_at,
    max(last_failed_at) AS newest_failure_at,
    min(next_attempt_at) FILTER (WHERE status = 'scheduled') AS next_attempt_at
FROM dead_letters
GROUP BY status, failure_class, code;
