"""`load`: sends signals of a source of its own and checks what became of every one of them.

    emit ready? ──▶ send ──▶ stored? ──▶ processed by both groups? ──▶ published? ──▶ confirmed? ──▶ table, verdict

Each question is asked again until it is answered with yes, or until nothing has moved for a while. Steady emission may
run beside it.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from signal_pipeline.commands.database import rows_of
from signal_pipeline.commands.emit_http import Accepted, EmitClient
from signal_pipeline.commands.load_events import SentSignal, batch_body, expected_of, sample_event, source_name
from signal_pipeline.commands.load_figures import LoadFigures, figure_rows, problems
from signal_pipeline.commands.load_watch import LoadWatch
from signal_pipeline.commands.percentiles import percentile
from signal_pipeline.commands.screen import OUT, Advance, progress, show_table
from signal_pipeline.domain.anomalies import select_rules
from signal_pipeline.errors import PipelineError
from signal_pipeline.events.http import BATCH_CONTENT_TYPE
from signal_pipeline.settings import Settings
from signal_pipeline.store.pool import Pool

__all__ = ["LoadPlan", "run_load"]

_IN_FLIGHT: Final = 4  # enough to keep emit busy while the broker acknowledges
_POLL_SECONDS: Final = 0.1
_STANDSTILL_SECONDS: Final = 30.0  # longer than a rebalance or a restart of one part takes
_CLOCK_SLACK: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadPlan:
    """What to send.

    Attributes:
        count: Signals.
        batch: Signals of one request.
        rate: Signals a second; None sends as fast as emit accepts.
    """

    count: int
    batch: int
    rate: float | None = None


@dataclass(kw_only=True, slots=True)
class _Sent:
    signals: list[SentSignal]
    answers: list[Accepted]


def run_load(settings: Settings, plan: LoadPlan) -> bool:
    """Send a load, print what became of it; true when everything is as it must be.

    Raises:
        PipelineError: the pipeline is not up, or did not accept the load.
    """
    figures = asyncio.run(_load(settings, plan))
    show_table("Load", ("figure", "value"), figure_rows(figures))
    found = problems(figures)
    for problem in found:
        OUT.print(problem, style="red", markup=False)
    return not found


async def _load(settings: Settings, plan: LoadPlan) -> LoadFigures:
    rng = random.SystemRandom()
    source = source_name(rng)
    rows_of(settings, "outbox_status")  # a database that is down stops the load before it sends anything
    pool = Pool(settings.database_url.get_secret_value(), application_name="signal-pipeline load", size=1)
    try:
        async with EmitClient(settings) as client:
            await client.require_ready()
            watch = await asyncio.to_thread(LoadWatch, settings, pool, source)
            sent = await _send(client, settings, plan, source, rng)
        return await _follow(watch, sent, source)
    finally:
        await pool.close()


async def _send(client: EmitClient, settings: Settings, plan: LoadPlan, source: str, rng: random.Random) -> _Sent:
    """Post all batches, a few at a time, each when it is due."""
    rules = select_rules(settings.enabled_rules)
    sent = _Sent(signals=[], answers=[])
    turns = asyncio.Semaphore(_IN_FLIGHT)
    started = time.monotonic()

    async def post(first: int, advance: Advance) -> None:
        due = started + first / plan.rate if plan.rate else started
        await asyncio.sleep(max(due - time.monotonic(), 0))
        async with turns:
            # Made at the last moment: the time of a signal is when it is sent.
            size = min(plan.batch, plan.count - first)
            events = [sample_event(source, time.time_ns(), rng) for _ in range(size)]
            sent.signals.extend(expected_of(event, rules) for event in events)
            sent.answers.append(await client.post({"Content-Type": BATCH_CONTENT_TYPE}, batch_body(events)))
            advance(sum(answer.accepted for answer in sent.answers))

    try:
        with progress("sent", plan.count) as advance:
            async with asyncio.TaskGroup() as group:
                for first in range(0, plan.count, plan.batch):
                    group.create_task(post(first, advance))
    except* PipelineError as errors:
        raise errors.exceptions[0] from None  # the others fail for the same reason
    return sent


async def _follow(watch: LoadWatch, sent: _Sent, source: str) -> LoadFigures:
    """Wait until nothing is missing any more, or until nothing moves."""
    records = await asyncio.to_thread(watch.expect, sent.signals)
    stored = await _until("stored", len(sent.signals), watch.count_stored)
    processed = await _until("processed by both groups", records, watch.count_processed)
    found = await watch.consequences(sent.signals)
    outbox_ids = frozenset(each.outbox_id for each in found if each.outbox_id is not None)
    published = await _until("published", len(outbox_ids), lambda: watch.count_published(outbox_ids))
    confirmed = await _until("confirmed", len(outbox_ids), lambda: watch.count_confirmed(outbox_ids))
    rows = await watch.rows(_began(sent) - _CLOCK_SLACK)
    anomalies = frozenset(each.anomaly_id for each in found)
    counts = {"rows": rows, "stored": stored, "unchecked": records - processed, "outbox_rows": len(outbox_ids)}
    return _figures(sent, watch.stored, anomalies, source=source, published=published, confirmed=confirmed, **counts)


def _figures(
    sent: _Sent, stored_at: Mapping[UUID, datetime], anomalies: frozenset[UUID], *, source: str, **counts: int
) -> LoadFigures:
    """Put together what is counted and what follows from comparing it with what was sent."""
    began = _began(sent)
    expected: frozenset[UUID] = frozenset().union(*(signal.anomalies for signal in sent.signals))
    seconds = [(stored_at[each.id] - each.time).total_seconds() for each in sent.signals if each.id in stored_at]
    return LoadFigures(
        source=source,
        sent=len(sent.signals),
        accepted=sum(answer.accepted for answer in sent.answers),
        refused=tuple(reason for answer in sent.answers for reason in answer.refused),
        repeats=sum(answer.repeats for answer in sent.answers),
        expected_anomalies=len(expected),
        found_anomalies=len(expected & anomalies),
        other_anomalies=len(anomalies - expected),
        seconds=(max(stored_at.values(), default=began) - began).total_seconds(),
        latency_p50=percentile(seconds, 0.5),
        latency_p99=percentile(seconds, 0.99),
        **counts,
    )


def _began(sent: _Sent) -> datetime:
    return min(signal.time for signal in sent.signals)


async def _until(label: str, total: int, measure: Callable[[], Awaitable[int]]) -> int:
    """Measure until `total` is reached or nothing has moved for a while; return the last measure."""
    with progress(label, total) as advance:
        reached, moved_at = -1, time.monotonic()
        while True:
            measured = await measure()
            advance(measured)
            if measured != reached:
                reached, moved_at = measured, time.monotonic()
            if reached >= total or time.monotonic() - moved_at > _STANDSTILL_SECONDS:
                return reached
            await asyncio.sleep(_POLL_SECONDS)
