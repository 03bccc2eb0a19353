"""Sends the requests to the roles, which work on a real PostgreSQL and librdkafka's own broker, and audits the outcome.

1. No answer is a server error, and each is one that the operation's document names.
2. What was accepted is stored, once; nothing else is: rows and records are counted.
3. The process does not grow: its memory at the end is that of the middle.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import psutil
import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.domain.signals import Signal, signal_of
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.http import decode_request
from signal_pipeline.roles.application import _FUNCTIONS
from signal_pipeline.security.keys import KeyRing
from signal_pipeline.security.tokens import Tokens, TokenType
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings
from signal_pipeline.topology import SIGNAL_EVENTS
from tests.abuse.fuzz.requests import CONTRACTS, Attempt, attempt
from tests.integration.conftest import make_template, running_server
from tests.support.asgi import call
from tests.support.http import Answer

__all__ = ["Report", "Security", "applications", "credentials", "fuzz", "memory_mib", "places"]

Security = Literal["on", "off"]

_AT_ONCE = 16
_GROWTH_MIB = 24.0  # what allocators and caches move within a run, whatever its length
_SERVER_ERROR = 500
# confirm-outbox cannot tell an event of nowhere from one whose row another transaction is about to show: for a minute
# it says "not yet".
_NOT_YET = b'"code":"outbox_row_not_visible"'
# Those of development are refused where security is on.
_SECRETS = {
    name: SecretStr(f"{name}-of-no-use-but-to-this-fuzz")
    for name in ("jwt_secret_key", "emit_api_key", "service_api_key")
}


@dataclass
class Report:
    """What a run found.

    Attributes:
        sent: Requests.
        seconds: How long it took.
        statuses: Answers by status.
        roles: Requests by role.
        faults: Answers that must not be, each with the number of its request; empty when all is well.
        middle_mib: Resident memory after half of the requests.
        end_mib: At the end.
    """

    sent: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    middle_mib: float = 0.0
    end_mib: float = 0.0

    def __str__(self) -> str:
        counted = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        roles = ", ".join(f"{role}: {count}" for role, count in sorted(self.roles.items()))
        return (
            f"{self.sent} requests in {self.seconds:.0f} s; {roles}; {counted}; "
            f"memory {self.middle_mib:.0f} MiB in the middle, {self.end_mib:.0f} MiB at the end; "
            f"{len(self.faults)} faults"
        )


def applications(settings: Settings) -> dict[str, FunctionApp]:
    """Return every role as an application; the caller closes them."""
    return {
        name: FunctionApp(
            make(settings, CollectorRegistry()), MetricsPage(CollectorRegistry(), address="127.0.0.1", port=0)
        )
        for name, make in _FUNCTIONS.items()
    }


def credentials(settings: Settings) -> tuple[dict[str, str], ...]:
    """Return headers of each kind of caller: an administrator, a sender, a trigger."""
    token = Tokens(KeyRing.of(settings)).issue(
        "fuzz", ("admin", "replay", "signals:write"), TokenType.ACCESS, now=datetime.now(UTC) + timedelta(seconds=1)
    )
    return (
        {"authorization": f"Bearer {token}"},
        {"x-api-key": settings.emit_api_key.get_secret_value()},
        {"x-api-key": settings.service_api_key.get_secret_value()},
    )


class Fuzz:
    """One run.

    Args:
        settings: With addresses of the database and the broker.
        seed: Whose requests are sent.
    """

    def __init__(self, settings: Settings, seed: int) -> None:
        self.report = Report()
        self.accepted = 0  # signals that emit said are on the topic
        self.stored: set[UUID] = set()  # signals that process-signal said are durable
        self.looked_at: set[UUID] = set()  # signals that detect-anomaly took: it stores those with an anomaly, too
        self._settings = settings
        self._seed = seed
        self._apps = applications(settings)
        self._credentials = credentials(settings)

    async def run(self, first: int, last: int) -> None:
        """Send the requests with these numbers, several at once."""
        numbers = iter(range(first, last))
        await asyncio.gather(*(self._work(numbers) for _ in range(_AT_ONCE)))

    async def close(self) -> None:
        """Close the roles."""
        for app in self._apps.values():
            await app.close()

    async def _work(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            made = attempt(self._seed, number, self._credentials[number % len(self._credentials)])
            self.report.roles[made.role] += 1
            answer = await call(self._apps[made.role], made.method, made.path, made.headers, made.body)
            self._judge(number, made, answer)

    def _judge(self, number: int, made: Attempt, answer: Answer) -> None:
        self.report.sent += 1
        self.report.statuses[answer.status] += 1
        documented = made.operation and CONTRACTS[made.role].operations()[made.operation]["responses"]
        named = not documented or str(answer.status) in documented
        if (answer.status >= _SERVER_ERROR and _NOT_YET not in answer.body) or not named:
            asked = f"{made.role} {made.method} {made.path}"
            self.report.faults.append(f"request {number}: {asked}: {answer.status} {answer.body!r}")
        elif made.role == "emit" and answer.status in {202, 207} and made.method == "POST":
            self.accepted += answer.json["accepted"]
        elif made.role == "process-signal" and answer.status in {204, 207}:
            self.stored |= _stored(made, answer)
        elif made.role == "detect-anomaly" and answer.status in {204, 207}:
            self.looked_at |= _stored(made, answer)


def _stored(made: Attempt, answer: Answer) -> set[UUID]:
    """Return the identities of the signals that a request made durable, by its answer."""
    request = decode_request(made.headers, made.body)
    failed = {each["index"] for each in answer.json["results"]} if answer.status == 207 else set()
    events = [event for index, event in enumerate(request.events) if index not in failed]
    signals = (signal_of(event, accepted_at=datetime.now(UTC)) for event in events if isinstance(event, CloudEvent))
    return {signal.id for signal in signals if isinstance(signal, Signal)}


@contextmanager
def places(security: Security) -> Iterator[Settings]:
    """Lend a database and a broker, and the settings of roles that use them."""
    host = Producer({"test.mock.num.brokers": 1, "test.mock.broker.rtt": 0, "bootstrap.servers": "unused"})
    brokers = ",".join(f"{each.host}:{each.port}" for each in host.list_topics(timeout=10).brokers.values())
    with running_server() as server, server.database(make_template(server)) as url:
        yield Settings(
            _env_file=None,
            database_url=SecretStr(url),
            kafka_bootstrap_servers=brokers,
            trigger_metrics_url="-",
            security=security,
            redis_url="-",  # attempts to log in are counted by the process
            **_SECRETS,
        )
    host.flush()


def _records(settings: Settings) -> int:
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap_servers, "group.id": "audit"})
    try:
        partitions = consumer.list_topics(SIGNAL_EVENTS.name, timeout=10).topics[SIGNAL_EVENTS.name].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(SIGNAL_EVENTS.name, each))[1] for each in partitions)
    finally:
        consumer.close()


def memory_mib() -> float:
    """Return the resident memory of this process after a collection."""
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1024**2


async def _run(settings: Settings, seed: int, numbers: range, seconds: float) -> Report:
    fuzz, started = Fuzz(settings, seed), time.monotonic()
    step = max(1, len(numbers) // 10)
    for first in range(numbers.start, numbers.stop, step):
        await fuzz.run(first, min(first + step, numbers.stop))
        fuzz.report.seconds = time.monotonic() - started
        if not fuzz.report.middle_mib and fuzz.report.sent >= len(numbers) / 2:
            fuzz.report.middle_mib = memory_mib()
        if fuzz.report.seconds > seconds:
            fuzz.report.faults.append(f"only {fuzz.report.sent} of {len(numbers)} requests within {seconds:.0f} s")
            break
    fuzz.report.end_mib = memory_mib()
    await fuzz.close()
    _audit(settings, fuzz)
    return fuzz.report


def _audit(settings: Settings, fuzz: Fuzz) -> None:
    with psycopg.connect(settings.database_url.get_secret_value()) as connection:
        found = {row[0] for row in connection.execute("SELECT id FROM signals")}
    report = fuzz.report
    strange, missing = found - fuzz.stored - fuzz.looked_at, fuzz.stored - found
    if strange or missing:
        report.faults.append(f"{len(strange)} rows that nobody accepted, {len(missing)} missing")
    records = _records(settings)
    if records != fuzz.accepted:
        report.faults.append(f"{records} records, {fuzz.accepted} accepted")
    if report.end_mib - report.middle_mib > _GROWTH_MIB:
        report.faults.append(f"memory grew from {report.middle_mib:.0f} to {report.end_mib:.0f} MiB")


def fuzz(seed: int, numbers: range, *, seconds: float, security: Security) -> Report:
    """Send requests and audit what came of them.

    Args:
        seed: The same one makes the same requests.
        numbers: Which of its requests.
        seconds: Longest time.
        security: Whether credentials are asked for everywhere.
    """
    with places(security) as settings:
        return asyncio.run(_run(settings, seed, numbers, seconds))
