"""The alerts of the Prometheus that runs beside the pipeline: silent while all is well, and each tells its fault.

quiet ──▶ break ──▶ its alerts fire, no other does ──▶ heal ──▶ all of them end ──▶ nothing was lost
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from local.components.pipeline import EMIT_TRIGGER
from tests.chaos.alert_faults import FAULTS, RATE, Fault
from tests.chaos.load import Load, Pace
from tests.chaos.symptoms import say, seconds_until_drained
from tests.support.alerts import SLACK_SECONDS, Alert, active_alerts, alert_rules, runbook_of
from tests.support.http import request_json
from tests.support.pipeline import Pipeline, own_pipeline
from tests.support.promql import ask
from tests.support.sender import Sender
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]

_QUIET_SECONDS = 300.0  # longer than any `for` that an alert on the present state has
_CALM_SECONDS = 15.0  # three scrapes and evaluations
_LOOK_SECONDS = 1.0
_AUDIT_SECONDS = 900.0  # of more than a million events, on a busy machine
_RECOVERY_SECONDS = 180.0
_GENTLE = Pace(senders=1, batch=10, rate=20)  # beside the steady emission, and in the ledger

Moments = dict[str, float]


@dataclass(kw_only=True)
class Figures:
    """How long the alerts of each fault took, in seconds.

    Attributes:
        rows: A line for each alert.
    """

    rows: list[str] = field(default_factory=list)

    def add(self, fault: Fault, fired: Moments, cleared: Moments) -> None:
        """Note one fault."""
        for name in fault.fires:
            self.rows.append(f"{fault.name:24}{name:26}{fired[name]:12.0f}{cleared[name]:12.0f}")


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """A pipeline of this module alone, with a steady emission, started from nothing."""
    running = own_pipeline("alerts", SIGNALS_PER_SECOND=str(RATE))
    try:
        running.local("up")
        yield running
    finally:
        running.local("clean")


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    """The table of all faults, printed at the end."""
    table = Figures()
    yield table
    say("\n".join([f"{'fault':24}{'alert':26}{'fires after':>12}{'ends after':>12}", *table.rows]))


def test_a_healthy_pipeline_is_silent(pipeline: Pipeline) -> None:
    """Nothing fires from the start on; once all parts have been seen, nothing is even pending for five minutes."""
    port = pipeline.settings.prometheus_port
    loaded = request_json(f"http://127.0.0.1:{port}/api/v1/rules?type=alert")["data"]["groups"]
    assert {rule["name"] for group in loaded for rule in group["rules"]} == alert_rules().keys()
    _wait_until_quiet(pipeline)  # a part that starts is not there yet: that is true, and fires after a minute only
    end = time.monotonic() + _QUIET_SECONDS
    while time.monotonic() < end:
        assert active_alerts(port) == []
        time.sleep(_LOOK_SECONDS)
    ((_, rate),) = ask(port, 'role:signals_consumed:rate1m{role="process-signal"}')
    assert rate > 0.5 * RATE, "the silence of a pipeline without load says nothing"
    assert ask(port, 'count_over_time(ALERTS{alertstate="firing"}[1h])') == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_the_right_alerts_fire_and_end(
    pipeline: Pipeline, sender: Sender, fault: Fault, figures: Figures
) -> None:
    """Within what its window and `for` ask, the fault's alerts fire and no others, and they end after the repair."""
    outage, watch = fault.make(sender), Watch(pipeline, fault)
    await asyncio.to_thread(_wait_until_quiet, pipeline)  # an alert that is there before the fault proves nothing
    async with Load(sender, _GENTLE) as load:
        await load.more(20)
        try:
            await asyncio.to_thread(outage.inflict, pipeline)
            fired = await asyncio.to_thread(watch.until_firing)
        finally:
            await asyncio.to_thread(outage.heal, pipeline)
        cleared = await asyncio.to_thread(watch.until_clear)
        await load.more(20)
    figures.add(fault, fired, cleared)
    proof = await asyncio.to_thread(outage.proves, pipeline)
    # 5 seconds of emission: it goes on, so the lag is never for long 0.
    await asyncio.to_thread(seconds_until_drained, pipeline, seconds=_RECOVERY_SECONDS, lag=5 * RATE)
    report = await asyncio.to_thread(pipeline.check, sender.sent(), seconds=_RECOVERY_SECONDS)
    say(f"{fault.name}: {proof}; firing after {_rounded(fired)}, gone after {_rounded(cleared)}; {load.accepted} sent")
    assert report.sound, str(report)
    assert report.checked("I1") >= load.accepted


def test_nothing_was_lost(pipeline: Pipeline) -> None:
    """After all faults the product's own audit accounts for every event of the steady emission."""
    pipeline.local("stop", EMIT_TRIGGER)
    audit = pipeline.run("-m", "signal_pipeline", "verify", seconds=_AUDIT_SECONDS)
    assert audit.returncode == 0, f"{audit.stdout}\n{audit.stderr}"


def _wait_until_quiet(pipeline: Pipeline) -> None:
    """Wait until there has been no alert for some scrapes: a part that came back shows its lag with the next one."""
    port, since = pipeline.settings.prometheus_port, time.monotonic()

    def quiet() -> bool:
        nonlocal since
        if active_alerts(port):
            since = time.monotonic()
        return time.monotonic() - since > _CALM_SECONDS

    wait_for(quiet, seconds=_RECOVERY_SECONDS, what="an end of all alerts")


class Watch:
    """Looks at the alerts while one fault is there, and after it."""

    def __init__(self, pipeline: Pipeline, fault: Fault) -> None:
        self._port = pipeline.settings.prometheus_port
        self._fault = fault
        self._remaining: set[str] = set()

    def look(self) -> list[Alert]:
        """Return the alerts that are pending or firing; `AssertionError` when one fires that must not."""
        alerts = active_alerts(self._port)
        allowed = {**self._fault.fires, **self._fault.remains}
        for alert in (each for each in alerts if each.firing and each.name not in self._fault.may):
            assert alert.role in allowed.get(alert.name, ()), f"a false alarm: {alert}"
            assert alert.severity == alert_rules()[alert.name].severity
            assert alert.runbook == runbook_of(alert.name)
        self._remaining |= {each.name for each in alerts if each.firing} & self._fault.remains.keys()
        return alerts

    def until_firing(self) -> Moments:
        """Wait until all that must fire does, for every role; return when each did, in seconds from now."""
        bounds = {
            name: alert_rules()[name].window_seconds + alert_rules()[name].hold_seconds + self._fault.reach_seconds
            for name in self._fault.fires
        }
        return self._until(lambda alerts, name: _firing_roles(alerts, name) >= self._fault.fires[name], bounds)

    def until_clear(self) -> Moments:
        """Wait until nothing is pending or firing, what remains excepted; return when each alert ended."""
        bounds = {name: alert_rules()[name].window_seconds + self._fault.recovery_seconds for name in self._fault.fires}
        moments = self._until(lambda alerts, name: name not in {each.name for each in alerts}, bounds)
        longest = max(alert_rules()[name].hold_seconds for name in self._fault.remains) if self._fault.remains else 0
        self._until(self._all_clear, {"everything": longest + max(bounds.values())})
        return moments

    def _all_clear(self, alerts: list[Alert], _: str) -> bool:
        others = {each.name for each in alerts} - self._fault.remains.keys()
        return not others and self._remaining == self._fault.remains.keys()

    def _until(self, true: Callable[[list[Alert], str], bool], bounds: Mapping[str, float]) -> Moments:
        began, moments = time.monotonic(), Moments()
        while True:
            alerts, passed = self.look(), time.monotonic() - began
            for name in bounds.keys() - moments.keys():
                if true(alerts, name):
                    moments[name] = passed
                bound = bounds[name] + SLACK_SECONDS
                assert name in moments or passed < bound, f"{name}: not within {bound:.0f} s; there are {alerts}"
            if bounds.keys() == moments.keys():
                return moments
            time.sleep(_LOOK_SECONDS)


def _firing_roles(alerts: list[Alert], name: str) -> set[str]:
    return {each.role for each in alerts if each.firing and each.name == name}


def _rounded(moments: Moments) -> str:
    return ", ".join(f"{name} {seconds:.0f} s" for name, seconds in moments.items())
