"""A function's log as faas-cli reads it."""

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.gateway.logs import LogFile, LogQuery, messages
from local.logs import rotate_large

DEADLINE = 10.0


def line(second: int, text: str = "x") -> str:
    """Return a line of ours that was written at a second of one minute."""
    return f'{{"event":"{text}","timestamp":"2026-01-01T00:00:{second:02}.500000Z"}}\n'


LINES = [line(1)[:-1], line(2)[:-1], "Traceback: é", line(3)[:-1]]


async def texts(path: Path, **query: str) -> list[str]:
    """Return the texts that a query without `follow` answers."""
    found = [part async for part in messages(LogFile(path), LogQuery.of({"name": "emit", **query}), name="emit")]
    return [json.loads(part)["text"] for part in found]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three lines of ours, with one of a stack trace after the second."""
    path = tmp_path / "emit.log"
    path.write_text("".join(f"{each}\n" for each in LINES))
    return path


async def test_a_message_has_the_five_fields(log: Path) -> None:
    """One JSON object a line; the time is that of the line, the text the whole line."""
    found = [part async for part in messages(LogFile(log), LogQuery(name="emit"), name="emit")]
    assert all(part.endswith(b"\n") and part.count(b"\n") == 1 for part in found)
    expected = {"name": "emit", "namespace": "openfaas-fn", "instance": "emit"}
    assert json.loads(found[0]) == {**expected, "timestamp": "2026-01-01T00:00:01.500000Z", "text": line(1)[:-1]}


async def test_a_line_without_a_time_has_the_time_before_it(log: Path) -> None:
    """A stack trace belongs to the line above."""
    found = [json.loads(part) async for part in messages(LogFile(log), LogQuery(name="emit"), name="emit")]
    assert (found[2]["text"], found[2]["timestamp"]) == ("Traceback: é", found[1]["timestamp"])


@pytest.mark.parametrize(("tail", "count"), [("2", 2), ("99", 4), ("0", 4), ("-1", 4)])
async def test_the_last_lines_are_told(log: Path, tail: str, count: int) -> None:
    """0 and less mean all, as faas-cli means them."""
    assert await texts(log, tail=tail) == LINES[-count:]


async def test_older_lines_are_left_out(log: Path) -> None:
    """`since` is a time with its zone; `tail` counts what is left."""
    assert await texts(log, since="2026-01-01T01:00:02+01:00") == LINES[1:]
    assert await texts(log, since="2026-01-01T00:00:02Z", tail="1") == [line(3)[:-1]]


async def test_another_instance_has_no_lines(log: Path) -> None:
    """There is one process, named as the function."""
    assert await texts(log, instance="emit-2") == []
    assert len(await texts(log, instance="emit")) == 4


async def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """A function that never ran has written nothing."""
    assert await texts(tmp_path / "none.log") == []


@pytest.mark.parametrize(
    "query",
    [{}, {"name": ""}, {"tail": "x"}, {"tail": "1.5"}, {"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}],
)
def test_a_query_that_cannot_be_read_is_refused(query: dict[str, str]) -> None:
    """The name is needed, a number is whole, a time has a zone."""
    with pytest.raises(ValueError, match=r".+"):
        LogQuery.of({"name": "emit", **query} if "name" not in query and query else query)


@pytest.mark.parametrize(
    ("given_text", "means"), [("true", True), ("1", True), ("false", False), ("", False), ("x", False)]
)
def test_follow_is_read_as_go_reads_it(given_text: str, means: bool) -> None:  # noqa: FBT001
    """What is no yes is a no."""
    assert LogQuery.of({"name": "emit", "follow": given_text}).follow is means


async def test_following_goes_on_through_a_rotation(tmp_path: Path) -> None:
    """Each line comes once and in order: before, in the copy unread, and after the log was emptied."""
    path, expected = tmp_path / "emit.log", [f"line {number}" for number in range(6)]
    path.write_text("line 0\n")
    stream = messages(LogFile(path), LogQuery(name="emit", follow=True), name="emit")
    found: list[str] = []

    async def until(count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(found) < count:
                found.append(json.loads(await anext(stream))["text"])

    def write(text: str) -> None:
        with path.open("a") as log:
            log.write(text)

    await until(1)
    write("line 1\nline ")
    await until(2)
    write("2\nline 3\n")
    assert rotate_large(tmp_path, 1) == [path]
    write("line 4\n")
    await until(5)
    write("line 5\n")
    await until(6)
    assert found == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12)), st.data())
def test_however_lines_are_written_they_come_whole(tmp_path: Path, lines: Sequence[str], data: st.DataObject) -> None:
    """Pieces, rotations between them, several readings: the lines are those that were written."""
    path = tmp_path / "cut.log"
    for old in tmp_path.iterdir():
        old.unlink()
    whole = "".join(f"{each}\n" for each in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    log, found = LogFile(path), []
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        with path.open("ab") as writer:
            writer.write(whole[begin:end])
        if data.draw(st.booleans()):
            found += [each.text for each in log.more()]
            # A log is rotated when it is large, and read again long before it is as large as it was.
            if len(whole) - end < path.stat().st_size and data.draw(st.booleans()):
                for copy in rotate_large(tmp_path, 0):
                    # Rotations are seconds apart, and the clock of files is coarse.
                    os.utime(copy.with_suffix(".log.1"), ns=(end, end))
    while more := [each.text for each in log.more()]:
        found += more
    assert found == list(lines)


def test_a_copy_alone_is_no_rotation(tmp_path: Path) -> None:
    """Between the copy and the emptying of the log nothing is told twice, and nothing is lost."""
    path = tmp_path / "emit.log"
    path.write_text("one\n")
    log = LogFile(path)
    assert [each.text for each in log.more()] == ["one"]
    path.with_suffix(".log.1").write_bytes(path.read_bytes())
    with path.open("a") as writer:
        writer.write("two\n")
    assert [each.text for each in log.more()] == ["two"]
    path.write_text("3\n")
    assert [each.text for each in log.more()] == ["3"]


def test_times_are_told_in_utc() -> None:
    """A query's zone is kept until it is compared."""
    query = LogQuery.of({"name": "emit", "since": "2026-01-01T01:00:00+01:00"})
    assert query.since == datetime(2026, 1, 1, tzinfo=UTC)
