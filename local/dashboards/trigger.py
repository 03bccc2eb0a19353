"""How each role's trigger gets on: what it is behind, what it delivers, what it holds back."""

from local.dashboards.model import Dashboard, Row, graph, stat

__all__ = ["TRIGGER"]

_RATE = "[$__rate_interval]"
_ROLE = 'role=~"$role"'


def _quantile(rank: float, histogram: str) -> str:
    return f"histogram_quantile({rank}, sum by (role, le) (rate({histogram}_bucket{{{_ROLE}}}{_RATE})))"


_STATE = Row(
    title="Now",
    height=4,
    panels=(
        stat(
            "Trigger",
            "Whether the trigger's process runs. When it is down all its other metrics are missing too.",
            {"{{role}}": f"max by (role) (trigger_up{{{_ROLE}}})"},
            alarm="TriggerDown",
            states={0: ("down", "red"), 1: ("up", "green")},
        ),
        stat(
            "Breaker",
            "Open: most recent events failed for reasons of the function, so the trigger waits instead of "
            "dead-lettering the topic. Read the function's log.",
            {"{{role}}": f"max by (role) (trigger_breaker_open{{{_ROLE}}})"},
            alarm="BreakerOpen",
            states={0: ("closed", "green"), 1: ("open", "red")},
        ),
        stat(
            "Partitions that back off",
            "Partitions whose next delivery waits because the last one failed. All of them: a dependency is away.",
            {"{{role}}": f"sum by (role) (trigger_paused_partitions{{{_ROLE}}})"},
        ),
        stat(
            "Events in flight",
            "Events that the function is working on now.",
            {"{{role}}": f"sum by (role) (trigger_in_flight{{{_ROLE}}})"},
        ),
    ),
)

_LAG = Row(
    title="Lag",
    height=8,
    panels=(
        graph(
            "Events behind, by role",
            "Log end minus committed offset, asked of the broker. A gap means that nobody knows.",
            {"{{role}}": f"role:consumer_lag:sum{{{_ROLE}}}"},
            alarm="ConsumerLagHigh",
            alarms_beside=("ConsumerLagUnknown",),
        ),
        graph(
            "Age of the oldest event, by role",
            "How long the oldest event that was read is unfinished.",
            {"{{role}}": f"role:consumer_lag_seconds:max{{{_ROLE}}}"},
            "s",
            alarm="ConsumerLagOld",
        ),
        graph(
            "Events behind, by partition",
            "One line far above the others: a slow or stuck partition, or a key that outweighs the rest.",
            {"{{role}} {{topic}}/{{partition}}": f"consumer_partition_lag{{{_ROLE}}}"},
        ),
        graph(
            "Age of the oldest event, by partition",
            "A straight rise is a partition that stands still.",
            {"{{role}} {{topic}}/{{partition}}": f"consumer_partition_lag_seconds{{{_ROLE}}}"},
            "s",
            alarms_beside=("ConsumerLagOld",),
        ),
    ),
)

_DELIVERIES = Row(
    title="Deliveries",
    height=8,
    panels=(
        graph(
            "Events delivered",
            "Events a second that the function made durable.",
            {"{{role}}": f"sum by (role) (rate(trigger_events_delivered_total{{{_ROLE}}}{_RATE}))"},
            "cps",
        ),
        graph(
            "Events per delivery",
            "Small batches at low load are right; small ones while lag grows: batches are split after failures.",
            {
                "{{role}} p50": _quantile(0.5, "trigger_batch_events"),
                "{{role}} p90": _quantile(0.9, "trigger_batch_events"),
            },
        ),
        graph(
            "Events per shared write",
            "Of requests with one event each, which others than our trigger send. Near 1 under load: the sender waits "
            "for each answer before it sends the next event.",
            {
                "{{role}} p50": _quantile(0.5, "coalesced_events"),
                "{{role}} p90": _quantile(0.9, "coalesced_events"),
            },
        ),
        graph(
            "Time of a delivery",
            "From the request to the function's verdict. The function's own measure is shorter by the way there.",
            {
                "{{role}} p50": _quantile(0.5, "trigger_delivery_seconds"),
                "{{role}} p99": _quantile(0.99, "trigger_delivery_seconds"),
            },
            "s",
        ),
    ),
)

_FAILURES = Row(
    title="Failures",
    height=8,
    panels=(
        graph(
            "Retries, by class",
            "Failures after which an event is tried again. `dependency`: something is away, the partition waits. "
            "`endpoint`: something else listens at the function's address. `contention` now and then is normal.",
            {
                "{{role}} {{failure_class}}": "sum by (role, failure_class) "
                f"(rate(trigger_retries_total{{{_ROLE}}}{_RATE}))"
            },
            "cps",
            alarms_beside=("FunctionAddressWrong",),
        ),
        graph(
            "Dead letters, by class",
            "Events that the trigger gave up. `invalid` and `rejected` are the event's fault, `unexpected` is ours.",
            {
                "{{role}} {{failure_class}}": "sum by (role, failure_class) "
                f"(rate(trigger_dead_letters_total{{{_ROLE}}}{_RATE}))"
            },
            "cps",
            alarms_beside=("DeadLetterRateHigh",),
        ),
        graph(
            "Calls of rate and schedule sources",
            "The steady emission, the purge, the replay of what is due. Failures alone: the function is away.",
            {
                "{{role}} calls": f"sum by (role) (rate(trigger_ticks_total{{{_ROLE}}}{_RATE}))",
                "{{role}} failures": f"sum by (role) (rate(trigger_tick_failures_total{{{_ROLE}}}{_RATE}))",
            },
            "cps",
            alarms_beside=("SteadyEmissionFailing", "ReplayTicksFailing", "RetentionNotPurging"),
        ),
    ),
)

_PROCESS = Row(
    title="Process",
    height=7,
    panels=(
        graph(
            "Processor",
            "Cores that the trigger uses; it has one thread that matters. Near 1 it is the bottleneck.",
            {"{{role}}": f"rate(trigger_process_cpu_seconds_total{{{_ROLE}}}{_RATE})"},
            "percentunit",
        ),
        graph(
            "Memory",
            "Resident memory of the trigger. What it reads ahead is bounded, so it should be flat.",
            {"{{role}}": f"trigger_process_resident_memory_bytes{{{_ROLE}}}"},
            "bytes",
        ),
    ),
)

TRIGGER = Dashboard(
    name="trigger",
    title="Signal pipeline: triggers",
    about="What is each trigger behind, what does it deliver, what does it hold back, and why?",
    rows=(_STATE, _LAG, _DELIVERIES, _FAILURES, _PROCESS),
)
