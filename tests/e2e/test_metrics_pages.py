"""The pages as Prometheus meets them: sound, told in words and units, and of a size that no sender decides."""

import re
import subprocess
import urllib.error
import uuid
from collections.abc import Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from signal_pipeline.domain.dead_letters import metadata_headers
from signal_pipeline.topology import ROLES
from tests.checker.model import RawRecord
from tests.support.dead_letters import failure_metadata, write_dead_letters
from tests.support.http import request_json
from tests.support.metrics import page
from tests.support.metrics_run import samples, settle
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, binary_record, event

_DIFFERENT = 50
_NAMES = [role.name for role in ROLES]
# What a name says of time or size, it says in seconds or bytes.
_MEASURED = re.compile(r"latency|duration|delivery_seconds|age(_|$)|oldest|timestamp|headroom|retained|memory")
_UNITS = ("_seconds", "_bytes", "_seconds_total")
# What schedules and probes call beside a test.
_BESIDE = re.compile(r'route="/(purge|tick|ready|health|metrics)"')


def _checked(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)


def _families(text: str) -> Iterable[Metric]:
    return text_string_to_metric_families(text)


@pytest.mark.parametrize("role", _NAMES)
def test_promtool_finds_no_fault(pipeline: Pipeline, role: str) -> None:
    """Prometheus' own tool has nothing to say about a role's page, and would speak: it does about a name of old."""
    text = page(pipeline.settings.metrics_port(role))
    done = _checked(text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "should have" in _checked(text + "# HELP calls Calls.\n# TYPE calls counter\ncalls 1\n").stderr


@pytest.mark.parametrize("role", _NAMES)
def test_each_metric_says_what_it_is_and_in_which_unit(pipeline: Pipeline, role: str) -> None:
    """A sentence of help each, no name twice although two processes write the page, seconds and bytes by name."""
    families = list(_families(page(pipeline.settings.metrics_port(role))))
    names = [family.name for family in families]
    assert sorted(set(names)) == sorted(names)
    assert [family.name for family in families if not family.documentation.endswith(".")] == []
    measured = [name for name in names if _MEASURED.search(name)]
    assert measured
    assert [name for name in measured if not name.endswith(_UNITS)] == []


async def test_no_sender_makes_time_series(pipeline: Pipeline, sender: Sender) -> None:
    """After one of each, fifty more event types, users, paths, correlation ids and forged failure classes add none."""
    await _send_all(pipeline, sender, 1)
    before = _series(pipeline)
    await _send_all(pipeline, sender, _DIFFERENT)
    assert _series(pipeline) - before == set()
    assert len(before) > 100


async def _send_all(pipeline: Pipeline, sender: Sender, count: int) -> None:
    words = [f"word-{uuid.uuid4()}" for _ in range(count)]
    await sender.post_all([[event(sender.source, type=word, subject=word, correlationid=word) for word in words]])
    sender.produce("signal-events", [(RawRecord(key=word.encode(), value=word.encode()), None) for word in words])
    write_dead_letters(pipeline, *map(_forged, words))
    for role in _NAMES:
        for word in words:
            with pytest.raises(urllib.error.HTTPError, match="404"):
                request_json(f"{pipeline.settings.function_url(role)}/{word}")
    settle(pipeline)


def _forged(word: str) -> RawRecord:
    """Return a dead letter whose class, function and group are words that nobody knows."""
    record = binary_record(event("forged"))
    forged = {f"ce_dlq{name}": word.encode() for name in ("class", "code", "group", "function", "disposition")}
    headers = tuple((name, forged.get(name, value)) for name, value in metadata_headers(failure_metadata()))
    return RawRecord(key=record.key, value=record.value, headers=(*record.headers, *headers))


def _series(pipeline: Pipeline) -> set[str]:
    pages = {role: samples(page(pipeline.settings.metrics_port(role))) for role in _NAMES}
    return {f"{role} {name}" for role, found in pages.items() for name in found if not _BESIDE.search(name)}
