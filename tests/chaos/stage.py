"""A stage for one moment: real Kafka and PostgreSQL, the processes that take part, and a proxy on the link in question.

    trigger ══ broker ══▶ Kafka            ══ a link that a test may stop or make bad
       ║
      http
       ▼
    function ══ database ══▶ PostgreSQL
       ╚══════ broker ═════▶ Kafka

What is started without a proxy has the straight way: so is everything that is started after a kill.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

from signal_pipeline.topology import DEAD_LETTERS, QUARANTINE, ROLES, SIGNAL_EVENTS, role_named
from tests.chaos.stage_parts import DEADLINE_SECONDS, Part, counter, leave_group, until
from tests.checker import Report, Sent, Snapshot
from tests.checker.case import Case
from tests.checker.check import judge
from tests.checker.kafka import read_topic
from tests.checker.model import Position, RawRecord
from tests.checker.postgres import read_tables
from tests.integration.commands.conftest import World
from tests.support.proxy import Proxy
from tests.support.proxy_wires import HttpWire, KafkaWire, PostgresWire
from tests.support.sender import Sender

__all__ = ["Stage", "reached"]


class Listener(Protocol):
    """What stands in front of a function."""

    port: int


class Stage:
    """The parts of one test; use as an asynchronous context manager, which ends them all.

    Attributes:
        world: Kafka and PostgreSQL.
        settings: Where they are.
        database_url: The database as its owner sees it.
        sender: Writes events, and a ledger of them.
    """

    def __init__(self, world: World, database_url: str, folder: Path) -> None:
        self.world = world
        self.settings = world.settings
        self.sender = Sender(world.settings, folder / "ledger")
        self.database_url = database_url
        self._database = urlsplit(database_url)
        self._folder = folder
        self._parts: list[Part] = []
        self._links = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._links.enter_async_context(self.sender)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for part in self._parts:
            part.end()
        await self._links.aclose()
        for role in ROLES:
            await asyncio.to_thread(leave_group, self.world.kafka, role.name)

    # -- links --

    async def database_link(self) -> Proxy:
        """Return a proxy in front of PostgreSQL."""
        return await self._links.enter_async_context(Proxy(self._database.port or 0, PostgresWire))

    async def broker_link(self) -> Proxy:
        """Return a proxy in front of Kafka."""
        port = self.settings.kafka_port
        return await self._links.enter_async_context(Proxy(port, partial(KafkaWire, broker_port=port)))

    async def http_link(self, role: str) -> Proxy:
        """Return a proxy in front of a function."""
        return await self._links.enter_async_context(Proxy(self.settings.port(role), HttpWire))

    # -- parts --

    async def function(
        self, role: str, *, database: Proxy | None = None, broker: Proxy | None = None, **variables: str
    ) -> Part:
        """Start a function and wait until it serves."""
        url = f"http://127.0.0.1:{self.settings.port(role)}/ready"
        part = self._part(("serve", role), {**self._addresses(database, broker), **variables}, url)
        await part.ready()
        return part

    def trigger(self, role: str, *, http: Listener | None = None, broker: Proxy | None = None) -> Part:
        """Start the trigger of a role; it may not get as far as being ready."""
        variables = self._addresses(None, broker)
        if http is not None:
            variables[f"FUNCTION_URL_{role_named(role).env}"] = f"http://127.0.0.1:{http.port}"
        url = f"http://127.0.0.1:{self.settings.trigger_port(role)}/ready"
        return self._part(("trigger", role), variables, url)

    def _part(self, arguments: tuple[str, str], variables: Mapping[str, str], ready_url: str) -> Part:
        part = Part(arguments, variables, ready_url, self._folder / f"{'-'.join(arguments)}.log")
        self._parts.append(part)
        return part

    def _addresses(self, database: Proxy | None, broker: Proxy | None) -> dict[str, str]:
        host = f"127.0.0.1:{database.port if database else self._database.port}"
        at = self._database.netloc.rpartition("@")[0]
        # A proxy that reads the protocol needs it in the clear, as it is on this machine anyway.
        plain = "?sslmode=disable&gssencmode=disable" if database else ""
        return {
            "PORT_OFFSET": str(self.settings.port_offset),
            "DATABASE_URL": f"postgresql://{at}@{host}{self._database.path}{plain}",
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.port if broker else self.settings.kafka_port}",
        }

    # -- what happened --

    def one(self, statement: str) -> Any:
        """Return the one value that a statement gives."""
        return self.world.run(statement)[0][0]

    def function_counter(self, role: str, name: str, **labels: str) -> int:
        """Return a counter of a function's present process."""
        return counter(self.settings.metrics_port(role), name, **labels)

    def trigger_counter(self, role: str, name: str, **labels: str) -> int:
        """Return a counter of a trigger's present process."""
        return counter(self.settings.trigger_port(role) or 0, name, **labels)

    async def drained(self, group: str, topic: str = SIGNAL_EVENTS.name) -> None:
        """Wait until a group has committed everything that its topic holds."""
        kafka = self.world.kafka
        ends = await asyncio.to_thread(kafka.ends, topic)

        def committed() -> bool:
            return kafka.committed(group, topic, len(ends)) == ends

        await until(committed, what=f"{group} commits to the end {ends} of {topic}")

    def letters(self, position: Position, topic: str = DEAD_LETTERS.name) -> list[RawRecord]:
        """Return the dead letters of a record."""
        origin = [("ce_dlqtopic", position.topic), ("ce_dlqoffset", position.offset)]
        wanted = {(name, str(value).encode()) for name, value in origin}
        return [one for one in read_topic(self.settings.kafka_bootstrap_servers, topic) if wanted <= set(one.headers)]

    def report(self, sent: tuple[Sent, ...]) -> Report:
        """Let the independent checker judge tables and dead letters; nothing publishes the outbox here."""
        case = Case(sent=sent, snapshot=Snapshot())
        tables = read_tables(self.database_url, sources=[*case.own_sources], ids=[*case.events], everything=False)
        snapshot = Snapshot(
            rows=tables.rows,
            superseded=tables.superseded,
            anomalies=tables.anomalies,
            outbox=tables.outbox,
            recorded=tables.recorded,
            published=None,
            dead=read_topic(self.settings.kafka_bootstrap_servers, DEAD_LETTERS.name),
            quarantined=read_topic(self.settings.kafka_bootstrap_servers, QUARANTINE.name),
        )
        return judge(Case(sent=sent, snapshot=snapshot))


async def reached(event: asyncio.Event, what: str) -> None:
    """Wait for a moment; `AssertionError` when it does not come."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await event.wait()
    except TimeoutError:
        raise AssertionError(f"the moment was not reached: {what}") from None
