"""Every panel of every dashboard shows something of a pipeline that runs."""

import math
import time
import urllib.error
import urllib.parse
from collections.abc import Iterator

import pytest

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.topology import ROLES
from tests.checker.model import RawRecord
from tests.support.dead_letters import dead_letter, write_dead_letters
from tests.support.grafana import DASHBOARD_FILES, board
from tests.support.http import request_json
from tests.support.pipeline import Pipeline
from tests.support.promql import Sample, ask, for_prometheus
from tests.support.sender import Sender, binary_record, event, events
from tests.support.waiting import wait_for

_SECONDS = 120
# What has no series in this pipeline while all is well, and the test that makes it have some.
ELSEWHERE = {
    ("overview", "Firing alerts"): "test_the_table_of_alerts_lists_what_prometheus_raises",
    ("security", "Certificates end in"): "tests/contract/test_tls.py: this pipeline has no certificate",
}
QUERIES = {
    (path.stem, panel.title, target.refId): target.expr
    for path in DASHBOARD_FILES
    for panel in board(path).with_data()
    for target in panel.targets
}


@pytest.fixture
def without_auth(pipeline: Pipeline) -> Iterator[None]:
    """The pipeline with auth stopped; it is back afterwards."""
    pipeline.local("stop", "auth")
    yield
    pipeline.local("start", "auth")


async def test_every_query_of_every_panel_finds_a_number(pipeline: Pipeline, sender: Sender) -> None:
    """With some of everything going on, each query has at least one series with a number in the real Prometheus."""
    assert pipeline.run("-m", "signal_pipeline", "verify").returncode in {0, 2}  # 2: nothing to audit yet
    missing = {key for key in QUERIES if key[:2] not in ELSEWHERE}
    assert len(missing) > 100

    deadline = time.monotonic() + _SECONDS
    while missing and time.monotonic() < deadline:  # a rate needs two scrapes with something between them
        await _stir(pipeline, sender)
        missing = {key for key in missing if not _numbers(pipeline, QUERIES[key])}
    assert missing == set()
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)


async def _stir(pipeline: Pipeline, sender: Sender) -> None:
    """Let some of everything happen: signals, poison, a replay, logins, refusals."""
    await sender.post_all([events(100, sender.source)])
    sender.produce("signal-events", [(RawRecord(key=None, value=b"poison", headers=()), None)])
    write_dead_letters(pipeline, dead_letter(binary_record(event("dashboards")), FailureClass.UNEXPECTED))
    auth = pipeline.settings.function_url("auth")
    password = pipeline.settings.auth_admin_password.get_secret_value()
    tokens = request_json(f"{auth}/auth/token", body={"username": "admin", "password": password})
    request_json(f"{auth}/auth/refresh", body={"refresh_token": tokens["refresh_token"]})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        request_json(f"{auth}/auth/token", body={"username": "admin", "password": "wrong"})


def _numbers(pipeline: Pipeline, expression: str) -> list[Sample]:
    """Return the series that have a number; NaN is none, for it means that nobody knows."""
    samples = ask(pipeline.settings.prometheus_port, for_prometheus(expression))
    return [(labels, value) for labels, value in samples if not math.isnan(value)]


@pytest.mark.usefixtures("without_auth")
def test_the_table_of_alerts_lists_what_prometheus_raises(pipeline: Pipeline) -> None:
    """A role that is down is red within seconds, and its alert is on its way into the table, with all its columns."""
    up = QUERIES["overview", "Functions", "A"]
    wait_for(
        lambda: [labels["role"] for labels, value in _numbers(pipeline, up) if value == 0] == ["auth"],
        seconds=30,
        what="a red auth",
    )
    # It fires after a minute; until then the same series says pending.
    pending = QUERIES["overview", "Firing alerts", "A"].replace("firing", "pending")
    wait_for(
        lambda: any(
            {"alertname": "RoleDown", "severity": "critical", "role": "auth"}.items() <= labels.items()
            for labels, _ in _numbers(pipeline, pending)
        ),
        seconds=30,
        what="the alert",
    )


def test_the_choice_of_roles_offers_all_of_them(pipeline: Pipeline) -> None:
    """What Grafana asks for the variable `role` gives every role of the pipeline."""
    address = f"http://127.0.0.1:{pipeline.settings.prometheus_port}/api/v1/label/role/values"
    asked = urllib.parse.urlencode({"match[]": 'up{job="signal-pipeline"}'})
    assert request_json(f"{address}?{asked}")["data"] == sorted(role.name for role in ROLES)
