"""Sample signals: their ranges, their ids, and how many of them are anomalies."""

import json
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from signal_pipeline.domain.anomalies import RULES
from signal_pipeline.domain.samples import Sample, sample_signal, time_uuid
from signal_pipeline.domain.signals import Signal

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
SOME_ID = UUID(int=0)
NANOSECONDS = int(NOW.timestamp()) * 10**9


def samples(count: int, seed: int = 1) -> list[Sample]:
    """Return samples that are the same in every run."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable choice is the point
    return [sample_signal(NANOSECONDS + number, NOW, rng) for number in range(count)]


def test_every_value_comes_from_its_range() -> None:
    """Users, sessions, data values, sources and types reach every end of their ranges and never leave them."""
    found = samples(100_000)
    numbers = {
        name: {int(text.rsplit("_", 1)[1]) for text in texts}
        for name, texts in {
            "user": (sample.user_id for sample in found),
            "sess": (sample.payload["session_id"] for sample in found),
            "data": (sample.payload["data"] for sample in found),
        }.items()
    }
    assert numbers["user"] == set(range(1, 1001))
    assert numbers["data"] == set(range(1, 101))
    assert min(numbers["sess"]) >= 10_000
    assert max(numbers["sess"]) <= 99_999
    assert len(numbers["sess"]) > 50_000  # of 90,000: with 100,000 draws about 1 - 1/e^1.11 of them are hit
    assert {sample.source for sample in found} == {"web", "mobile", "api"}
    assert {sample.type for sample in found} == {"login", "purchase", "click", "api_call"}
    assert {sample.user_id.rsplit("_", 1)[0] for sample in found} == {"user"}
    assert {tuple(sample.payload) for sample in found} == {("session_id", "data")}


def test_ids_are_version_1_with_a_random_node() -> None:
    """An id is a UUIDv1 of its time whose node says that it is no hardware address; no two are equal."""
    found = samples(10_000)
    for sample in found:
        assert sample.id.version == 1
        assert sample.id.variant == "specified in RFC 4122"
        assert sample.id.node >> 40 & 1
    assert len({sample.id for sample in found}) == len(found)
    assert len({sample.id.node for sample in found}) == len(found)


@pytest.mark.parametrize("moment", [datetime(1970, 1, 1, tzinfo=UTC), NOW, datetime(2100, 1, 1, tzinfo=UTC)])
def test_ids_tell_their_time(moment: datetime) -> None:
    """UUID time counts 100 ns since the Gregorian calendar began, on 15 October 1582."""
    nanoseconds = int(moment.timestamp()) * 10**9 + 700
    ticks = time_uuid(nanoseconds, random.Random(1)).time  # noqa: S311
    assert datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=ticks // 10) == moment
    assert ticks % 10 == 7


def share_of_anomalies(hour: int) -> float:
    """Return the exact share of samples of that hour that break a rule, by counting the ranges."""

    def breaks(kind: str, session: str, data: str) -> bool:
        payload = {"session_id": session, "data": data}
        signal = Signal(
            id=SOME_ID,
            user_id=None,
            source="web",
            type=kind,
            event_ts=NOW.replace(hour=hour),
            payload=payload,
            payload_json=json.dumps(payload),
            extensions_json=None,
        )
        return any(rule.breaks(signal) for rule in RULES)

    usual_data, usual_session = "sample_data_50", "sess_12345"
    data = sum(breaks("login", usual_session, f"sample_data_{number}") for number in range(1, 101)) / 100
    sessions = sum(breaks("login", f"sess_{number}", usual_data) for number in range(10_000, 100_000)) / 90_000
    kinds = sum(breaks(kind, usual_session, usual_data) for kind in ("login", "purchase", "click", "api_call")) / 4
    return 1 - (1 - data) * (1 - sessions) * (1 - kinds)


def test_the_share_of_anomalies_is_what_the_ranges_say() -> None:
    """By day 8 of 100 data values and 1,224 of 90,000 sessions: about 9 %; at night a quarter of the rest as well."""
    # One digit: 9 sessions. Two digits: 9 for the first place, 9 for the other digit, 2^4 - 1 ways to place it.
    sessions = 9 + 9 * 9 * 15
    by_day = 1 - (1 - 8 / 100) * (1 - sessions / 90_000)
    assert share_of_anomalies(12) == pytest.approx(by_day)
    assert round(by_day, 3) == 0.093
    assert share_of_anomalies(3) == pytest.approx(1 - (1 - by_day) * 3 / 4)
