"""What could not be processed: why, what became of it, and whether it comes back."""

from local.dashboards.model import NEVER, Dashboard, Row, bars, graph, stat

__all__ = ["DEAD_LETTERS"]

_RATE = "[$__rate_interval]"

_STATE = Row(
    title="Now",
    height=4,
    panels=(
        stat(
            "Waiting",
            "Unread dead letters and those that are due to be replayed.",
            "max(dlq_queue_size)",
            alarm="DeadLetterQueueLarge",
        ),
        stat(
            "Oldest that waits",
            "Time since the first failure of the oldest dead letter that will be replayed. Its last attempt is hours "
            "after the first.",
            'max(dead_letters_oldest_seconds{status="scheduled"})',
            "s",
            alarm="DeadLettersOld",
        ),
        stat(
            "Quarantined",
            "Dead letters that nothing brings back by itself: `signal-pipeline dlq ls`, then repair, plan, replay.",
            'sum(dead_letters{status="quarantined"})',
        ),
        stat(
            "Given up in an hour",
            "Dead letters that went to quarantine in the last hour: from replay-dlq, and from the triggers that have "
            "no other place.",
            'round(sum(increase(dlq_messages_failed_total{failure_type!="dependency"}[1h]))'
            ' + sum(increase(signals_dlq_total{role=~"replay-dlq|confirm-outbox"}[1h])))',
            alarm="QuarantineGrows",
        ),
        stat(
            "Replays under way",
            "Replays that somebody ordered and that are not finished, paused ones included.",
            {"{{state}}": 'sum by (state) (replay_jobs{state=~"running|paused"})'},
        ),
        stat(
            "Dead letters a second",
            "What triggers gave up in the last five minutes.",
            "sum(rate(signals_dlq_total[5m]))",
            "cps",
            alarm="DeadLetterRateHigh",
        ),
    ),
)

_IN = Row(
    title="What comes in",
    height=8,
    panels=(
        graph(
            "By class",
            "Why events were given up. `invalid` and `rejected`: their sender's fault or a rule's. `unexpected`: ours.",
            {"{{failure_class}}": f"sum by (failure_class) (rate(trigger_dead_letters_total{_RATE}))"},
            "cps",
            alarms_beside=("DeadLetterRateHigh",),
            stacked=True,
        ),
        graph(
            "By trigger",
            "Who gave up. What replay-dlq and confirm-outbox give up goes to quarantine.",
            {"{{role}}": "role:signals_dlq:rate5m"},
            "cps",
            alarm="DeadLetterRateHigh",
        ),
        bars(
            "Kept, by status",
            "`scheduled` comes back by itself, `replayed` came back, `resolved` needed no replay, its effect existed; "
            "`quarantined` waits for a person.",
            {"{{status}}": "sum by (status) (dead_letters)"},
        ),
        bars(
            "Unresolved, by class",
            "Dead letters that are scheduled or quarantined.",
            {"{{failure_class}}": 'sum by (failure_class) (dead_letters{status=~"scheduled|quarantined"})'},
        ),
    ),
)

_BACK = Row(
    title="What comes back",
    height=8,
    panels=(
        graph(
            "Replays",
            "Attempts, and those that the broker acknowledged. The lines lie on each other.",
            {
                "recorded": f"sum(rate(dlq_messages_processed_total{_RATE}))",
                "attempted": f"sum(rate(dlq_retry_attempts_total{_RATE}))",
                "published again": f"sum(rate(dlq_messages_replayed_total{_RATE}))",
            },
            "cps",
            alarms_beside=("ReplayNotAcknowledged",),
        ),
        graph(
            "Failed or given up, by class",
            "Replays that failed and dead letters that went to quarantine.",
            {"{{failure_type}}": f"sum by (failure_type) (rate(dlq_messages_failed_total{_RATE}))"},
            "cps",
        ),
        stat(
            "From failure to replay",
            "How long events were away that came back in the last hour. The first attempt comes after a minute.",
            {
                "p50": "histogram_quantile(0.5, sum by (le) (rate(dlq_recovery_latency_seconds_bucket[1h])))",
                "p99": "histogram_quantile(0.99, sum by (le) (rate(dlq_recovery_latency_seconds_bucket[1h])))",
            },
            "s",
            absent=NEVER,
        ),
        graph(
            "Age, by status",
            "Time since the first failure of the oldest dead letter of each status. A gap means that nobody knows.",
            {"{{status}}": "max by (status) (dead_letters_oldest_seconds)"},
            "s",
        ),
        stat(
            "Replay calls in 2 minutes",
            "The schedule asks replay-dlq every five seconds for what is due. At 0 nothing comes back.",
            'round(sum(increase(trigger_ticks_total{role="replay-dlq"}[2m])))',
            alarm="ReplayTicksFailing",
        ),
    ),
)

DEAD_LETTERS = Dashboard(
    name="dead-letters",
    title="Signal pipeline: dead letters",
    about="What could not be processed, why, and does it come back?",
    rows=(_STATE, _IN, _BACK),
)
