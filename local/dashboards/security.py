"""Who knocks at the doors: tokens issued and refused, requests refused, and what the functions answer."""

from local.dashboards.model import Dashboard, Row, graph, stat

__all__ = ["SECURITY"]

_RATE = "[$__rate_interval]"
_ROLE = 'role=~"$role"'
_CALLS = 'role=~"$role", route!~".*(health|ready|metrics).*"'

_TOKENS = Row(
    title="Tokens",
    height=7,
    panels=(
        graph(
            "Issued",
            "Token pairs a second, by grant: `password` is a login, `refresh` the renewal of one.",
            {"{{grant}}": f"sum by (grant) (rate(auth_tokens_issued_total{_RATE}))"},
            "cps",
        ),
        graph(
            "Refused",
            "Refused credentials a second, by grant. Many passwords: somebody guesses. A refused renewal: a token was "
            "used twice, so one of its two users is not its owner.",
            {"{{grant}}": f"sum by (grant) (rate(auth_refused_total{_RATE}))"},
            "cps",
        ),
        stat(
            "Refused in an hour",
            "Credentials that auth refused in the last hour.",
            {"{{grant}}": "round(sum by (grant) (increase(auth_refused_total[1h])))"},
        ),
        graph(
            "Attempts turned away",
            "Attempts at passwords a second that were too many, by the limit that was reached. `login_user`: somebody "
            "tries one user from many addresses, and the user waits too; `login_address`: many users from one.",
            {"{{layer}}": f"sum by (layer) (rate(auth_logins_limited_total{_RATE}))"},
            "cps",
        ),
        stat(
            "Logins ended in an hour",
            "Logins that ended before their time in the last hour. `refresh_reused`: a refresh token had two holders.",
            {"{{reason}}": "round(sum by (reason) (increase(auth_logins_ended_total[1h])))"},
        ),
    ),
)

_REFUSALS = Row(
    title="Refused requests",
    height=8,
    panels=(
        graph(
            "By status",
            "401: no credentials or wrong ones. 403: credentials that do not suffice. 413: too large. 429: too many, "
            "the sender is to come back later.",
            {"{{status}}": f"sum by (status) (rate(http_refusals_total{{{_ROLE}}}{_RATE}))"},
            "cps",
            stacked=True,
        ),
        graph(
            "401, by role",
            "Where somebody tries without the right key or token.",
            {"{{role}}": f'sum by (role) (rate(http_refusals_total{{{_ROLE}, status="401"}}{_RATE}))'},
            "cps",
        ),
        graph(
            "Refused events, by class",
            "Events inside of answered requests that failed. `invalid`: its sender's fault; `dependency`: ours.",
            {
                "{{role}} {{failure_class}}": "sum by (role, failure_class) "
                f"(rate(events_refused_total{{{_ROLE}}}{_RATE}))"
            },
            "cps",
        ),
    ),
)

_REQUESTS = Row(
    title="Requests",
    height=8,
    panels=(
        graph(
            "Answers, by class of status",
            "Requests a second, without those for health and metrics. 5xx: the function, or what it depends on.",
            {"{{role}} {{status}}": f"sum by (role, status) (rate(http_requests_total{{{_CALLS}}}{_RATE}))"},
            "reqps",
        ),
        graph(
            "Time to answer, p99",
            "One request in a hundred takes longer. Logins take long on purpose: a password costs memory and time.",
            {
                "{{role}} {{route}}": "histogram_quantile(0.99, sum by (role, route, le) "
                f"(rate(http_request_duration_seconds_bucket{{{_CALLS}}}{_RATE})))"
            },
            "s",
        ),
        graph(
            "Requests in flight",
            "Requests that are being answered. At `MAX_REQUESTS_IN_FLIGHT` further ones get 429.",
            {"{{role}}": f"sum by (role) (http_requests_in_flight{{{_ROLE}}})"},
        ),
        graph(
            "Failed answers of emit",
            "Share of requests to emit that got 5xx in five minutes. The promise is 0.1 %. A gap: no requests.",
            {"emit": "emit:errors:ratio_rate5m"},
            "percentunit",
            alarm="EmitErrorBudgetBurnFast",
            alarms_beside=("EmitErrorBudgetBurn", "EmitErrorBudgetBurnSlow"),
        ),
        graph(
            "Certificates end in",
            "How long the certificates are valid that functions serve HTTPS with. Empty where they serve HTTP.",
            {"{{role}}": f"min by (role) (tls_certificate_expiry_timestamp_seconds{{{_ROLE}}}) - time()"},
            "s",
            alarm="CertificateExpiresSoon",
            alarms_beside=("CertificateExpired",),
        ),
    ),
)

_LIMITS = Row(
    title="Rate limits",
    height=8,
    panels=(
        graph(
            "Refused, by layer",
            "Calls a second that a limit refused. `key`, `address`: one caller is too fast. `global`: all are. "
            "`login_user`, `login_address`: somebody tries passwords.",
            {
                "{{role}} {{layer}}": "sum by (role, layer) "
                f'(rate(rate_limit_decisions_total{{{_ROLE}, outcome="refused"}}{_RATE}))'
            },
            "cps",
            stacked=True,
        ),
        graph(
            "Calls over a burst",
            "Calls a second with more events than a limit ever lets through at once: they never work as they are.",
            {
                "{{role}} {{layer}}": "sum by (role, layer) "
                f'(rate(rate_limit_decisions_total{{{_ROLE}, outcome="never"}}{_RATE}))'
            },
            "cps",
        ),
        graph(
            "Limits without Redis",
            "1 while Redis does not answer: emit then limits in each process on its own, auth and replay refuse all.",
            {"{{role}}": f"max by (role) (rate_limiter_fallback{{{_ROLE}}})"},
            alarm="RateLimiterFallback",
        ),
    ),
)

SECURITY = Dashboard(
    name="security",
    title="Signal pipeline: security and requests",
    about="Who is let in, who is refused, and what do the functions answer?",
    rows=(_TOKENS, _REFUSALS, _LIMITS, _REQUESTS),
)
