"""The way of an anomaly from the outbox over Debezium to its confirmation, and what PostgreSQL keeps for it."""

from local.dashboards.model import Dashboard, Row, graph, stat

__all__ = ["OUTBOX"]

_RATE = "[$__rate_interval]"


def _quantile(rank: float) -> str:
    return f"histogram_quantile({rank}, sum by (le) (rate(outbox_confirm_latency_seconds_bucket{_RATE})))"


_STATE = Row(
    title="Now",
    height=4,
    panels=(
        stat(
            "Not confirmed",
            "Outbox rows that are not confirmed as published. Under load some hundred are on their way.",
            "max(outbox_pending_events)",
        ),
        stat(
            "Oldest of them",
            "How long the oldest has waited. A second is normal, minutes are an outage of the way.",
            "max(outbox_oldest_pending_seconds)",
            "s",
            alarm="OutboxBacklog",
        ),
        stat(
            "Connector",
            "Whether Debezium's connector and its task run. `down` also when Kafka Connect does not answer.",
            "max(connector_up)",
            alarm="ConnectorDown",
            states={0: ("down", "red"), 1: ("runs", "green")},
        ),
        stat(
            "Slot",
            "Whether the replication slot exists. Without it nothing is published: `signal-pipeline outbox reconnect`.",
            "max(replication_slot_present)",
            alarm="ReplicationSlotMissing",
            states={0: ("missing", "red"), 1: ("present", "green")},
        ),
        stat(
            "Slot is read",
            "Whether Debezium is connected to the slot.",
            "max(replication_slot_active)",
            alarm="ReplicationSlotInactive",
            states={0: ("nobody", "red"), 1: ("Debezium", "green")},
        ),
        stat(
            "Log kept for the slot",
            "Log that PostgreSQL may not delete because Debezium has not confirmed it.",
            "max(replication_slot_retained_bytes)",
            "bytes",
            alarm="ReplicationSlotRetainsLog",
        ),
        stat(
            "Log until the slot is lost",
            "How much may still be written before PostgreSQL gives the slot up.",
            "min(replication_slot_headroom_bytes)",
            "bytes",
            alarm="ReplicationSlotNearlyLost",
        ),
    ),
)

_WAY = Row(
    title="The way",
    height=8,
    panels=(
        graph(
            "Written and confirmed",
            "Outbox rows a second. The lines lie on each other; where confirmation stays behind, the backlog grows.",
            {
                "written by detect-anomaly": f"sum(rate(outbox_events_total{_RATE}))",
                "confirmed by confirm-outbox": f"sum(rate(outbox_confirmed_total{_RATE}))",
                "failed transactions": f"sum(rate(outbox_write_failures_total{_RATE}))",
            },
            "cps",
        ),
        graph(
            "From row to confirmation",
            "Commit, log, Debezium, Kafka, trigger, stamp. Gaps are idle times.",
            {"p50": _quantile(0.5), "p99": _quantile(0.99)},
            "s",
        ),
        graph(
            "Waiting on the way",
            "In the outbox: Debezium has the work. On anomaly-events: confirm-outbox has it. A gap: nobody knows.",
            {
                "not confirmed": "max(outbox_pending_events)",
                "of these on anomaly-events": 'sum(consumer_lag{role="confirm-outbox"})',
            },
            alarms_beside=("OutboxUnseen",),
        ),
    ),
)

_LOG = Row(
    title="What PostgreSQL keeps",
    height=8,
    panels=(
        graph(
            "Age of the oldest row",
            "A straight rise is a way that is closed.",
            {"oldest": "max(outbox_oldest_pending_seconds)"},
            "s",
            alarm="OutboxBacklog",
        ),
        graph(
            "Log kept for the slot",
            "A saw with teeth of some segments of 16 MiB is normal; a rise without an end is not.",
            {"kept": "max(replication_slot_retained_bytes)"},
            "bytes",
            alarm="ReplicationSlotRetainsLog",
        ),
        graph(
            "Log until the slot is lost",
            "At 0 the slot is lost, and what it would have published has to be published from the outbox.",
            {"left": "min(replication_slot_headroom_bytes)"},
            "bytes",
            alarm="ReplicationSlotNearlyLost",
        ),
    ),
)

OUTBOX = Dashboard(
    name="outbox",
    title="Signal pipeline: outbox and change data capture",
    about="Are anomalies published, how long does it take, and what does PostgreSQL keep for it?",
    rows=(_STATE, _WAY, _LOG),
)
