"""What the user guide shows is what happens: its examples, against the running pipeline."""

import json
import re
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psycopg
import pytest

from local.picture import PANELS
from tests.support.guides import Block, blocks, moved, section
from tests.support.pipeline import ROOT, Pipeline
from tests.support.waiting import wait_for

GUIDE = ROOT / "docs" / "user-guide.md"
SENDING = blocks(section(GUIDE, "Send a signal"), "sh")
ANSWERED = [block for block in SENDING if block.status is not None]
PYTHON = blocks(section(GUIDE, "Send a signal"), "python")
QUERIES = [
    statement
    for block in blocks(section(GUIDE, "Query"), "sql")
    for statement in re.sub(r"^--.*$", "", block.text, flags=re.MULTILINE).split(";")
    if statement.strip()
]
# The body goes where it went, and the status to standard error.
_SHOW_STATUS = "curl() { command curl -w '%{stderr}%{http_code}\\n' \"$@\"; }\n"


def run(text: str, pipeline: Pipeline) -> tuple[str, str]:
    """Run shell commands of the guide and return what they said; an `AssertionError` has it when they fail."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", moved(text, pipeline)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def test_the_guide_shows_the_answers_that_matter() -> None:
    """The examples cover success, partial success and each refusal that a sender can cause by itself."""
    assert {block.status for block in ANSWERED} == {202, 207, 400, 401, 405, 413, 415, 422}


@pytest.mark.parametrize("block", ANSWERED, ids=lambda block: f"{block.status}-{ANSWERED.index(block)}")
def test_curl_gets_the_documented_answer(pipeline: Pipeline, block: Block) -> None:
    """A curl example of the guide is answered with the status, and the body, that stand below it."""
    body, statuses = run(_SHOW_STATUS + block.text, pipeline)
    assert int(statuses.split()[-1]) == block.status, body
    if block.answer is not None:
        assert json.loads(body) == json.loads(block.answer)


def test_the_documented_identities_are_stored(pipeline: Pipeline) -> None:
    """What the examples sent and got acknowledged is in the table, once each, however often they were sent."""
    accepted = [block for block in ANSWERED if block.answer is not None]
    for block in accepted * 2:
        run(block.text, pipeline)
    wanted = sorted(each for block in accepted for each in json.loads(block.answer or "")["ids"])
    wait_for(lambda: _stored(pipeline) == wanted, seconds=20, what=f"the rows {wanted}")


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_examples_are_accepted(pipeline: Pipeline, tmp_path: Path, number: int) -> None:
    """A Python example of the guide runs as it stands and says what was accepted."""
    program = tmp_path / "example.py"
    program.write_text(moved(PYTHON[number].text, pipeline))
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "accepted" in done.stdout or "202 500" in done.stdout


def test_javascript_example_is_accepted(pipeline: Pipeline, tmp_path: Path) -> None:
    """The producer in JavaScript sends in both modes of its SDK, and says so when it is refused."""
    shutil.copy(ROOT / "examples" / "producer.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(Path(sys.prefix) / "node" / "node_modules")
    source, url = f"example-{uuid.uuid4()}", f"{pipeline.settings.function_url('emit')}/emit"
    command = ["node", "producer.mjs", url, "4", source]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "4 signals accepted\n"), done.stderr
    wait_for(lambda: _count(pipeline, source) == 4, seconds=20, what="all rows")
    command[2] = url.removesuffix("emit") + "nowhere"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "refused with 404" in done.stderr


def test_queries_run_and_use_an_index(pipeline: Pipeline) -> None:
    """Each documented query is valid, and can be served by an index: none needs to read a whole table."""
    with psycopg.connect(pipeline.database_url) as connection:
        connection.execute("SET enable_seqscan = off")  # with few rows a scan is cheaper, and says nothing
        for statement in QUERIES:
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {statement}".encode()))
            assert "Index" in plan, f"{statement}\n{plan}"
            assert "Seq Scan" not in plan, f"{statement}\n{plan}"


def test_a_picture_of_a_run_is_drawn(pipeline: Pipeline, tmp_path: Path) -> None:
    """The command draws the overview's panels from the run's own Prometheus, with at least one known value in each."""
    path, now = tmp_path / "run.svg", time.time()
    pipeline.run("-m", "signal_pipeline", "load", "--count", "100")

    def known() -> bool:
        span = ("--begin", str(now - 30), "--end", str(time.time()))
        pipeline.local("picture", str(path), *span, "--mark", f"{now},{now + 1},load")
        _, *plots = path.read_text().split('font-weight="bold"')
        return len(plots) == len(PANELS) and all('<path d="M' in plot for plot in plots)

    wait_for(known, seconds=40, what="a scrape of all that is drawn")
    for title in PANELS:
        assert title in path.read_text()


def _stored(pipeline: Pipeline) -> list[str]:
    """Return the ids that the sender gave to the events of the guide."""
    with psycopg.connect(pipeline.database_url) as connection:
        rows = connection.execute("SELECT extensions ->> 'id' FROM signals WHERE source = 'shop'")
        return sorted(row[0] for row in rows)


def _count(pipeline: Pipeline, source: str) -> int:
    with psycopg.connect(pipeline.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM signals WHERE source = %s", (source,)).fetchone()
    return row[0] if row else 0
