"""Logs on a terminal: JSON lines are made readable, every other line is left as it is."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from local.layout import ROOT
from local.log_lines import readable, shown_lines

LINE = (
    '{"port":8001,"reason":null,"names":["a","é"],"detail":"b c","role":"emit","level":"warning",'
    '"timestamp":"2026-01-02T03:04:05Z","event":"slow"}'
)


def test_a_line_is_time_level_service_event_and_values() -> None:
    """The four that every line has come first, in columns; the others follow as key=value, without empty ones."""
    expected = '2026-01-02T03:04:05Z warning  emit slow port=8001 names=["a", "é"] detail=b c'
    assert readable(LINE).plain == expected


@pytest.mark.parametrize(
    "line",
    ["", "[red]LOG:[/] checkpoint starting", '{"level": "info", "ev', "[1, 2]", '{"other": "json"}', "12"],
)
def test_other_lines_are_as_they_are(line: str) -> None:
    """A line cut in half, a line of another program, and JSON that is no log line of ours are not touched."""
    assert readable(line).plain == line


def test_the_lines_of_several_logs_say_whose_they_are() -> None:
    """The header that tail writes when the file changes becomes the service of what follows it."""
    lines = ["==> /x/emit-trigger.log <==\n", LINE + "\n", "\n", "==> /x/kafka.log <==\n", "started\n"]
    first, second = shown_lines(lines)
    assert first.plain.split()[1:3] == ["warning", "emit-trigger"]
    assert second.plain == "kafka started"


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
@pytest.mark.parametrize(("level", "code"), [("info", "\x1b[32m"), ("warning", "\x1b[33m"), ("error", "\x1b[31m")])
def test_a_level_has_its_colour(level: str, code: str, variables: dict[str, str], *, coloured: bool) -> None:
    """Green, yellow and red; none of them where NO_COLOR is set."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, color_system="standard", _environ=variables, width=200)
    console.print(readable(LINE.replace('"warning"', f'"{level}"')))
    assert (code in written.getvalue()) is coloured


def _logs(state: Path, *options: str, output: int) -> None:
    command = [sys.executable, "-m", "local", "logs", "emit", "--no-follow", *options]
    variables = {**os.environ, "STATE_DIR": str(state), "TERM": "xterm", "COLUMNS": "200"}
    subprocess.run(command, cwd=ROOT, env=variables, stdout=output, check=True, timeout=30)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a pipeline whose emit has written one line."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "emit.log").write_text(LINE + "\n")
    return tmp_path


def test_a_pipe_gets_the_lines_as_they_are_written(state: Path, tmp_path: Path) -> None:
    """What another program reads is JSON, byte for byte."""
    with (tmp_path / "piped").open("wb") as piped:
        _logs(state, output=piped.fileno())
    assert (tmp_path / "piped").read_text() == LINE + "\n"


@pytest.mark.parametrize(("options", "is_json"), [((), False), (("--json",), True)])
def test_a_terminal_gets_readable_lines(state: Path, options: tuple[str, ...], *, is_json: bool) -> None:
    """On a terminal lines are made readable, unless they are asked for as JSON."""
    ours, theirs = pty.openpty()
    try:
        _logs(state, *options, output=theirs)
        shown = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert (LINE in shown) is is_json
    assert ("detail=" in shown) is not is_json
