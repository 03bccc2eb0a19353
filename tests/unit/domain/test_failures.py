"""The failure table says what the delivery contract says."""

import pytest

from signal_pipeline.domain.failures import (
    POLICIES,
    Failure,
    FailureClass,
    ReplayAction,
    TriggerAction,
    class_of_sqlstate,
)


def test_every_class_has_its_row() -> None:
    """The table is complete, in the order of the enumeration."""
    assert list(POLICIES) == list(FailureClass)


@pytest.mark.parametrize(
    ("name", "statuses", "trigger", "replay"),
    [
        ("invalid", {400}, TriggerAction.DEAD_LETTER, ReplayAction.QUARANTINE),
        ("rejected", {422}, TriggerAction.DEAD_LETTER, ReplayAction.QUARANTINE),
        ("contention", {503}, TriggerAction.RETRY_IN_PLACE, ReplayAction.SCHEDULE),
        ("dependency", {503}, TriggerAction.HOLD, ReplayAction.SCHEDULE),
        ("overload", {429, 503}, TriggerAction.HOLD, ReplayAction.SCHEDULE),
        ("endpoint", {503}, TriggerAction.HOLD, ReplayAction.SCHEDULE),
        ("unexpected", {500}, TriggerAction.RETRY_BOUNDED, ReplayAction.SCHEDULE),
    ],
)
def test_each_class_has_one_consequence(
    name: str, statuses: set[int], trigger: TriggerAction, replay: ReplayAction
) -> None:
    """Status, trigger and replay follow from the class."""
    policy = POLICIES[FailureClass(name)]
    assert policy.status in statuses
    assert (policy.trigger, policy.replay) == (trigger, replay)


def test_come_back_later_says_when() -> None:
    """Every status that asks the caller to come back names a time, and no other does."""
    for policy in POLICIES.values():
        assert (policy.retry_after_seconds is not None) == (policy.status in {429, 503})


def test_a_permanent_failure_is_final_for_a_knative_source() -> None:
    """Knative retries 404, 408, 409, 429 and 5xx, so what is dead-lettered at once has none of them."""
    permanent = [policy for policy in POLICIES.values() if policy.trigger is TriggerAction.DEAD_LETTER]
    assert {policy.status for policy in permanent}.isdisjoint({404, 408, 409, 429, *range(500, 600)})


def test_a_failure_may_have_a_status_of_its_own() -> None:
    """413 is an invalid event with a more exact status."""
    failure = Failure(failure_class=FailureClass.INVALID, code="x", detail="x")
    assert failure.http_status == 400
    assert Failure(failure_class=FailureClass.INVALID, code="x", detail="x", status=413).http_status == 413
    assert failure.policy is POLICIES[FailureClass.INVALID]


@pytest.mark.parametrize(
    ("sqlstate", "name"),
    [
        ("22001", "rejected"),
        ("22P05", "rejected"),
        ("22021", "rejected"),
        ("23502", "rejected"),
        ("23514", "rejected"),
        ("54000", "rejected"),
        ("40001", "contention"),
        ("40P01", "contention"),
        ("55P03", "contention"),
        ("08006", "dependency"),
        ("08P01", "dependency"),
        ("53300", "dependency"),
        ("53100", "dependency"),
        ("57P01", "dependency"),
        ("57P03", "dependency"),
        ("25006", "dependency"),
        (None, "dependency"),
        ("57014", "dependency"),  # statement timeout
        ("25P03", "dependency"),  # idle in transaction for too long
        ("25P04", "dependency"),  # transaction timeout
        ("26000", "dependency"),  # prepared statement lost
        ("42P05", "dependency"),  # prepared statement there already
        ("58030", "dependency"),  # the server's disk
        ("23503", "unexpected"),
        ("25001", "unexpected"),
        ("40003", "unexpected"),
        ("42P01", "unexpected"),
        ("54001", "unexpected"),
        ("XX000", "unexpected"),
        ("", "unexpected"),
    ],
)
def test_a_sqlstate_has_one_class(sqlstate: str | None, name: str) -> None:
    """A SQLSTATE, else its class, decides; what nobody thought of is unexpected."""
    assert class_of_sqlstate(sqlstate).value == name
