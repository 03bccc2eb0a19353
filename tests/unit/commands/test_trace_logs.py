"""The reading of log files for `trace`: which lines name an id, and how far back is read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from signal_pipeline.commands.trace_logs import Wanted, last_lines, log_moments

AN_ID = "5f0c2f0e-9a54-11f0-8a6b-0242ac120002"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TIME = "2026-01-15T12:00:00.250000Z"


def write(folder: Path, *lines: dict[str, Any] | str, name: str = "emit") -> Path:
    """Write a log file: a dictionary as a line of ours, with a time and a level; a text as it is."""
    log = folder / f"{name}.log"
    common = {"timestamp": TIME, "level": "info"}
    log.write_text("".join(f"{line if isinstance(line, str) else json.dumps({**common, **line})}\n" for line in lines))
    return log


def wanted(*ids: str) -> Wanted:
    """Return a wish for lines with these ids."""
    return Wanted(ids=frozenset(ids))


def test_a_line_that_names_the_id_is_a_moment_of_its_log(tmp_path: Path) -> None:
    """It has the line's time and event, the log's name, and the line's other facts."""
    write(tmp_path, {"event": "other", "id": "x"}, {"event": "request_refused", "correlation_id": AN_ID})
    (moment,) = log_moments(tmp_path, wanted(AN_ID))
    assert (moment.at, moment.what, moment.id) == (
        datetime(2026, 1, 15, 12, 0, 0, 250_000, UTC),
        "log: request_refused",
        "emit",
    )
    assert moment.facts == {"level": "info", "correlation_id": AN_ID}


@pytest.mark.parametrize(
    "fact",
    [f"00-{TRACE}-00f067aa0ba902b7-01", TRACE, [TRACE], {"deep": [{"er": TRACE}]}, f"the trace {TRACE} failed"],
    ids=["in a traceparent", "alone", "in a list", "deep", "in a sentence"],
)
def test_a_long_id_is_found_inside_of_any_text(tmp_path: Path, fact: object) -> None:
    """A long id is unlike anything else, so it is found as a part of a value, however deep."""
    write(tmp_path, {"event": "e", "fact": fact})
    assert len(log_moments(tmp_path, wanted(TRACE))) == 1


def test_a_short_id_is_found_as_a_whole_value_only(tmp_path: Path) -> None:
    """The id `7` is the line whose value is `7`, and neither `17`, the number 7 nor a word that all lines share."""
    write(tmp_path, {"event": "a", "id": "17"}, {"event": "b", "id": "7"}, {"event": "c", "port": 7})
    assert [moment.what for moment in log_moments(tmp_path, wanted("7", "info"))] == ["log: b"]


def test_a_line_that_names_the_place_of_the_record_is_found(tmp_path: Path) -> None:
    """Topic, partition and offset name a record together; two of the three do not."""
    line = {"event": "event_failed", "topic": "signal-events", "partition": 3, "offset": 41}
    write(tmp_path, line, {**line, "offset": 42}, {**line, "partition": 4})
    place = Wanted(ids=frozenset(), places=frozenset({("signal-events", 3, 41)}))
    assert [moment.facts["offset"] for moment in log_moments(tmp_path, place)] == [41]


def test_lines_of_other_programs_are_passed_over(tmp_path: Path) -> None:
    """Text, broken JSON, JSON without a time and a time that is none stop nothing, even where they name the id."""
    strange = [AN_ID, f'{{"id": "{AN_ID}"', json.dumps({"id": AN_ID}), json.dumps({"id": AN_ID, "timestamp": "noon"})]
    write(tmp_path, *strange, {"event": "ours", "id": AN_ID})
    assert [moment.what for moment in log_moments(tmp_path, wanted(AN_ID))] == ["log: ours"]


def test_only_the_end_of_a_file_is_read_and_no_line_by_half(tmp_path: Path) -> None:
    """The last 8 bytes of `111 222 333` hold two whole lines; with 6, the line that is cut is left out."""
    log = tmp_path / "a.log"
    log.write_text("111\n222\n333\n")
    assert [last_lines(log, size) for size in (8, 6)] == [[b"222", b"333", b""], [b"333", b""]]
    assert last_lines(log, 100) == [b"111", b"222", b"333", b""]


def test_an_old_line_beyond_the_bound_is_not_found(tmp_path: Path) -> None:
    """A log larger than the bound is searched at its end: the line before it is not found, the one within is."""
    write(tmp_path, {"event": "old", "id": AN_ID}, *[{"event": "filler"}] * 100, {"event": "new", "id": AN_ID})
    assert [moment.what for moment in log_moments(tmp_path, wanted(AN_ID), read_bytes=1000)] == ["log: new"]


def test_without_a_local_run_there_are_no_lines(tmp_path: Path) -> None:
    """No folder of logs, as with containers, is no fault."""
    assert log_moments(tmp_path / "logs", wanted(AN_ID)) == []
