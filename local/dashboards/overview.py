"""Is the pipeline well, and if not, where does it stand? The first page of whoever is called."""

from local.dashboards.model import NEVER, Dashboard, Row, graph, stat, table

__all__ = ["OVERVIEW"]

_RATE = "[$__rate_interval]"
_CHECKED = 'trigger_events_delivered_total{role="detect-anomaly"}'
_UP = {0: ("down", "red"), 1: ("up", "green")}
_OK = {0: ("found something", "red"), 1: ("in order", "green")}

_NOW = Row(
    title="Throughput, latency, lag",
    height=8,
    panels=(
        graph(
            "Throughput",
            "Signals a second at the three places that see each of them. Worry when the lines part: what emit "
            "publishes and process-signal does not store waits in Kafka.",
            {
                "published by emit": f"sum(rate(signals_produced_total{_RATE}))",
                "stored by process-signal": f"sum(rate(signals_consumed_total{_RATE}))",
                "checked by detect-anomaly": f"sum(rate({_CHECKED}{_RATE}))",
            },
            "cps",
            leads_to="trigger",
        ),
        graph(
            "Latency",
            "From a signal's time to its row, by the oldest signal of each batch, and the time to store a batch. Gaps "
            "are idle times. Worry about seconds: lag follows.",
            {
                "signal to row, p50": f"histogram_quantile(0.5, sum by (le) (rate(signal_age_seconds_bucket{_RATE})))",
                "signal to row, p99": f"histogram_quantile(0.99, sum by (le) (rate(signal_age_seconds_bucket{_RATE})))",
                "storing a batch, p99": "histogram_quantile(0.99, sum by (le) "
                f"(rate(processing_latency_seconds_bucket{_RATE})))",
            },
            "s",
            alarm="ProcessingLatencyHigh",
            leads_to="database",
        ),
        graph(
            "Consumer lag, events",
            "Events that a role has still to finish. A gap means that nobody knows: the broker does not answer or the "
            "trigger is dead.",
            {"{{role}}": "role:consumer_lag:sum"},
            alarm="ConsumerLagHigh",
            alarms_beside=("ConsumerLagUnknown",),
            leads_to="trigger",
        ),
        graph(
            "Consumer lag, age",
            "How long the oldest unfinished event of a role has waited. Few events can be old: their partition stands "
            "still.",
            {"{{role}}": "role:consumer_lag_seconds:max"},
            "s",
            alarm="ConsumerLagOld",
            leads_to="trigger",
        ),
    ),
)

_FLOW = Row(
    title="The flow: emit → signal-events → process-signal, detect-anomaly → outbox → anomaly-events → confirm-outbox",
    height=4,
    panels=(
        stat(
            "emit publishes",
            "Signals a second that the broker acknowledged. 0 means that nobody sends.",
            "sum(rate(signals_produced_total[1m]))",
            "cps",
            leads_to="security",
        ),
        stat(
            "signal-events holds",
            "Events that process-signal and detect-anomaly have still to finish.",
            {"{{role}}": 'sum by (role) (consumer_lag{role=~"process-signal|detect-anomaly"})'},
            alarm="ConsumerLagHigh",
            leads_to="trigger",
        ),
        stat(
            "process-signal stores",
            "Signals a second that became durable, redeliveries included.",
            "sum(rate(signals_consumed_total[1m]))",
            "cps",
            leads_to="database",
        ),
        stat(
            "detect-anomaly checks",
            "Signals a second that were checked against the rules.",
            f"sum(rate({_CHECKED}[1m]))",
            "cps",
            leads_to="database",
        ),
        stat(
            "Outbox holds",
            "Anomalies that are stored and not confirmed as published. Worry when the oldest is minutes old.",
            "max(outbox_pending_events)",
            leads_to="outbox",
        ),
        stat(
            "anomaly-events holds",
            "Published anomalies that confirm-outbox has still to stamp.",
            'sum(consumer_lag{role="confirm-outbox"})',
            alarm="ConsumerLagHigh",
            leads_to="outbox",
        ),
        stat(
            "confirm-outbox stamps",
            "Anomalies a second whose publication is confirmed: the end of the way.",
            "sum(rate(outbox_confirmed_total[1m]))",
            "cps",
            leads_to="outbox",
        ),
    ),
)

_TROUBLE = Row(
    title="What went wrong",
    height=4,
    panels=(
        stat(
            "Dead letters wait",
            "Unread dead letters and those that are due to be replayed. They come back by themselves.",
            "max(dlq_queue_size)",
            alarm="DeadLetterQueueLarge",
            leads_to="dead-letters",
        ),
        stat(
            "Dead letters a second",
            "Events that a trigger gave up, in the last five minutes.",
            "sum(rate(signals_dlq_total[5m]))",
            "cps",
            alarm="DeadLetterRateHigh",
            leads_to="dead-letters",
        ),
        stat(
            "Failed publications a second",
            "Signals that the broker did not acknowledge to emit. Their senders got 503 and send them again.",
            "sum(rate(produce_errors_total[1m]))",
            "cps",
            alarm="EmissionFailing",
            leads_to="security",
        ),
        stat(
            "Failed writes a second",
            "Transactions that PostgreSQL refused or that did not reach it. Events wait meanwhile; none is lost.",
            "sum(rate(db_write_failures_total[1m])) + sum(rate(outbox_write_failures_total[1m]))",
            "cps",
            alarm="DatabaseWritesFailing",
            leads_to="database",
        ),
        stat(
            "Oldest anomaly unpublished",
            "How long the oldest anomaly has waited in the outbox.",
            "max(outbox_oldest_pending_seconds)",
            "s",
            alarm="OutboxBacklog",
            leads_to="outbox",
        ),
        stat(
            "Last audit",
            "What `make verify` found when it last ran: whether every event is accounted for.",
            "min(audit_last_run_ok)",
            alarm="AuditFoundMismatch",
            states=_OK,
            absent="never ran",
        ),
        stat(
            "Missing in the last audit",
            "Events that were neither stored nor dead-lettered. Any number but 0 is a loss.",
            "max(audit_missing_events)",
            alarm="AuditFoundMissingEvents",
            absent="never ran",
        ),
        stat(
            "Age of the last audit",
            "Time since `make verify` last ended.",
            "time() - max(audit_last_run_timestamp_seconds)",
            "s",
            alarm="AuditStale",
            absent="never ran",
        ),
    ),
)

_HEALTH = Row(
    title="Health",
    height=8,
    panels=(
        table(
            "Firing alerts",
            "What Prometheus would call somebody for. The runbook of each is among the runbooks.",
            'ALERTS{alertstate="firing"}',
            {"alertname": "Alert", "severity": "Severity", "role": "Role"},
            absent="no alert fires",
            leads_to="runbooks",
        ),
        stat(
            "Functions",
            "Whether at least one replica of each role answers Prometheus.",
            {"{{role}}": "role:up:max"},
            alarm="RoleDown",
            states=_UP,
        ),
        stat(
            "Triggers",
            "Whether each role's trigger runs. Without it the function is well and gets no work.",
            {"{{role}}": "max by (role) (trigger_up)"},
            alarm="TriggerDown",
            states=_UP,
        ),
        stat(
            "Time to answer, p99",
            "One request in a hundred takes longer. Health checks are left out.",
            {
                "{{role}}": "histogram_quantile(0.99, sum by (role, le) "
                '(rate(http_request_duration_seconds_bucket{route!~".*(health|ready).*"}[5m])))'
            },
            "s",
            absent=NEVER,
        ),
    ),
)

OVERVIEW = Dashboard(
    name="overview",
    title="Signal pipeline: overview",
    about="Is the pipeline well, and if not, where does it stand?",
    rows=(_NOW, _FLOW, _TROUBLE, _HEALTH),
)
