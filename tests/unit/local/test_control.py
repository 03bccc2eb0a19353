"""Commands reach the supervisor over its socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local import control
from local.layout import Layout
from local.supervisor import Refused


async def _handle(command: str, services: list[str]) -> AsyncIterator[dict[str, Any]]:
    yield {"kind": "change", "service": services[0], "state": command}
    if command == "refuse":
        raise Refused("not now", service="kafka")


@pytest.fixture
async def layout(tmp_path: Path) -> AsyncIterator[Layout]:
    """A layout whose socket is served, at a path longer than a socket's address can hold."""
    deep = Layout(state=tmp_path / ("x" * 60) / ("y" * 60))
    deep.make()
    server = await control.serve(control.listen(deep), _handle)
    yield deep
    server.close()


def _request(layout: Layout, command: str) -> list[dict[str, Any]]:
    return list(control.request(layout, command, ["kafka"]))


async def test_a_command_is_answered_line_by_line(layout: Layout) -> None:
    """What the handler yields arrives, and the end is told."""
    answers = await asyncio.to_thread(_request, layout, "start")
    assert answers == [{"kind": "change", "service": "kafka", "state": "start"}]


async def test_a_refusal_arrives_with_its_reason_and_service(layout: Layout) -> None:
    """The client raises what the supervisor raised."""
    with pytest.raises(Refused, match="not now") as caught:
        await asyncio.to_thread(_request, layout, "refuse")
    assert caught.value.service == "kafka"


def test_a_missing_supervisor_is_told_at_once(tmp_path: Path) -> None:
    """A socket that nobody listens on, or none at all, is no reason to wait."""
    layout = Layout(state=tmp_path)
    layout.make()
    with pytest.raises(control.SupervisorGone):
        _request(layout, "status")
    control.listen(layout).close()
    with pytest.raises(control.SupervisorGone):
        _request(layout, "status")


async def test_a_task_of_an_event_loop_asks_as_a_command_does(layout: Layout) -> None:
    """All answers at once; a refusal is raised; the working folder of the process never changes."""
    answers, before = await control.ask(layout, "start", ["kafka"]), Path.cwd()
    assert answers == [{"kind": "change", "service": "kafka", "state": "start"}]
    with pytest.raises(Refused, match="not now"):
        await control.ask(layout, "refuse", ["kafka"])
    await asyncio.gather(*(control.ask(layout, "status", ["kafka"]) for _ in range(20)))
    assert Path.cwd() == before


async def test_a_supervisor_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    """Half an answer is none; nobody at all is told at once."""
    layout = Layout(state=tmp_path)
    layout.make()
    with pytest.raises(control.SupervisorGone, match="make up"):
        await control.ask(layout, "status", [])

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_unix_server(end, sock=control.listen(layout))
    with pytest.raises(control.SupervisorGone, match="ended before it answered"):
        await control.ask(layout, "status", [])
    server.close()
