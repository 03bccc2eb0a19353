"""The bounds of the chaos tests of the alerts come out of the rules files as a person reads them there."""

import pytest

from signal_pipeline.topology import ROLES
from tests.chaos.alert_faults import FAULTS, Fault
from tests.support.alerts import alert_rules, runbook_of

_MINUTE = 60.0


@pytest.mark.parametrize(
    ("name", "window", "hold"),
    [
        ("RoleDown", 0, _MINUTE),  # looks at now
        ("ReplayTicksFailing", 2 * _MINUTE, 2 * _MINUTE),
        ("DatabaseWritesFailing", _MINUTE, _MINUTE),  # its window is that of role:write_failures:rate1m
        ("EmitErrorBudgetBurnSlow", 24 * 60 * _MINUTE, 60 * _MINUTE),  # the longer of two recorded series
    ],
)
def test_windows_are_found_in_recorded_series_too(name: str, window: float, hold: float) -> None:
    """How far an alert looks back, through whatever it reads, and how long it must hold."""
    rule = alert_rules()[name]
    assert (rule.window_seconds, rule.hold_seconds) == (window, hold)


def test_every_alert_names_its_own_runbook() -> None:
    """The path of a runbook is the alert's name in lower case."""
    assert runbook_of("ConsumerLagHigh") == "monitoring/runbooks/consumer-lag-high.md"
    assert [rule.name for rule in alert_rules().values() if rule.runbook != runbook_of(rule.name)] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults_name_alerts_and_roles_that_exist(fault: Fault) -> None:
    """A misspelt name would wait for ever, or allow nothing."""
    expected = {**fault.fires, **fault.remains}
    assert expected.keys() | fault.may <= alert_rules().keys()
    assert set().union(*expected.values()) <= {role.name for role in ROLES}
