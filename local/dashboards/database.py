"""PostgreSQL as the functions meet it: how long writes take, which fail, what they leave, the connections."""

from local.dashboards.model import Dashboard, Row, bars, graph, stat

__all__ = ["DATABASE"]

_RATE = "[$__rate_interval]"
_ROLE = 'role=~"$role"'


def _quantile(rank: float, histogram: str) -> str:
    return f"histogram_quantile({rank}, sum by (le) (rate({histogram}_bucket{_RATE})))"


_WRITES = Row(
    title="Writes",
    height=8,
    panels=(
        graph(
            "Time to store a batch of signals",
            "process-signal: one transaction for a batch. A batch of 1,000 takes some 20 ms; a second is trouble. Gaps "
            "are idle times.",
            {
                "p50": _quantile(0.5, "processing_latency_seconds"),
                "p99": _quantile(0.99, "processing_latency_seconds"),
            },
            "s",
            alarm="ProcessingLatencyHigh",
        ),
        graph(
            "Time to check a batch and store what was found",
            "detect-anomaly: rules, and one transaction for anomalies and outbox rows. Gaps are idle times.",
            {"p50": _quantile(0.5, "detection_latency_seconds"), "p99": _quantile(0.99, "detection_latency_seconds")},
            "s",
            alarm="ProcessingLatencyHigh",
        ),
        graph(
            "Failed writes",
            "Transactions a second that failed. Their events wait in Kafka and cost no attempts.",
            {
                "signals": f"sum(rate(db_write_failures_total{_RATE}))",
                "anomalies and outbox": f"sum(rate(outbox_write_failures_total{_RATE}))",
            },
            "cps",
            alarm="DatabaseWritesFailing",
        ),
    ),
)

_ROWS = Row(
    title="What is stored",
    height=8,
    panels=(
        graph(
            "Signals, by outcome",
            "What storing did. `unchanged` is a redelivery or a sender's repetition; `stale` is a late older version; "
            "`conflict` is an id that another source has, and becomes a dead letter.",
            {"{{outcome}}": f"sum by (outcome) (rate(signals_stored_total{_RATE}))"},
            "cps",
            stacked=True,
        ),
        graph(
            "New anomalies, by rule",
            "Anomalies a second. A rule that jumps is a change in the signals, or in the rule.",
            {"{{type}}": f"sum by (type) (rate(anomalies_detected_total{_RATE}))"},
            "cps",
            stacked=True,
        ),
        graph(
            "Rows deleted by retention",
            "Rows a second that were older than the retention, by table. The purge runs once a minute.",
            {"{{table}}": "sum by (table) (rate(purged_rows_total[5m]))"},
            "cps",
        ),
        stat(
            "Purges in 15 minutes",
            "One a minute. At 0 the tables grow until the disk is full.",
            'round(sum(increase(trigger_ticks_total{role="process-signal"}[15m])))',
            alarm="RetentionNotPurging",
        ),
    ),
)

_CONNECTIONS = Row(
    title="Connections",
    height=8,
    panels=(
        graph(
            "Connections in use",
            "Connections of each role's pool that are lent. At the size of the pool, statements are slow or blocked.",
            {
                "{{role}} in use": f"sum by (role) (db_pool_connections_in_use{{{_ROLE}}})",
                "{{role}} open": f"sum by (role) (db_pool_connections{{{_ROLE}}})",
            },
        ),
        graph(
            "Callers that wait for a connection",
            "Some for a moment are no trouble; some for minutes are.",
            {"{{role}}": f"max by (role) (db_pool_requests_waiting{{{_ROLE}}})"},
            alarm="DatabasePoolExhausted",
        ),
        bars(
            "Share of the pool in use",
            "Lent connections of those that are open. A pool that has none open cannot reach PostgreSQL.",
            {
                "{{role}}": f"sum by (role) (db_pool_connections_in_use{{{_ROLE}}}) "
                f"/ sum by (role) (db_pool_connections{{{_ROLE}}})"
            },
            "percentunit",
        ),
    ),
)

DATABASE = Dashboard(
    name="database",
    title="Signal pipeline: database",
    about="How long do writes take, which fail, what do they leave behind, and do the connections suffice?",
    rows=(_WRITES, _ROWS, _CONNECTIONS),
)
