-- name: trace_bound
-- purpose: Let no later statement of this connection run longer than so many milliseconds.
SELECT set_config('statement_timeout', %(milliseconds)s::text, FALSE)
