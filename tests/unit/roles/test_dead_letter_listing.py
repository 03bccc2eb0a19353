"""What a person may ask of the dead letters."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.errors import InvalidEvent
from signal_pipeline.roles.dead_letter_listing import parse_filter, parse_listing
from signal_pipeline.store.dead_letter_views import DeadLetterFilter

ID = "6f1d7f0c-3f0b-5f3e-9d53-6a1c0f6c2b7e"
OTHER = "00000000-0000-0000-0000-000000000001"


def test_every_part_of_a_filter_is_read() -> None:
    """Class, code, times, place and ids become one filter."""
    parts = {
        "class": "rejected",
        "code": "23514",
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-02T00:00:00+00:00",
        "partition": "5",
        "offset_from": "0",
        "offset_until": "9223372036854775807",
        "ids": f"{ID}, {OTHER}",
    }
    assert parse_filter(parts) == DeadLetterFilter(
        failure_class=FailureClass.REJECTED,
        code="23514",
        since=datetime(2026, 1, 1, tzinfo=UTC),
        until=datetime(2026, 1, 2, tzinfo=UTC),
        partition=5,
        offset_from=0,
        offset_until=2**63 - 1,
        ids=(UUID(ID), UUID(OTHER)),
    )


def test_nothing_asked_filters_nothing() -> None:
    """Without parts every dead letter is meant, a hundred to a page."""
    listing = parse_listing({})
    assert (listing.filter, listing.limit, listing.after) == (DeadLetterFilter(), 100, None)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"colour": "red"}, "parts of a filter"),
        ({"class": "none"}, "class is one of"),
        ({"class": ""}, "class is one of"),
        ({"code": ""}, "code is"),
        ({"code": "a\x00b"}, "code is"),
        ({"code": "x" * 2000}, "code is"),
        ({"since": "yesterday"}, "since is an RFC 3339 time"),
        ({"since": "2026-01-01T00:00:00"}, "since needs a zone"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}, "since is before until"),
        ({"partition": "-1"}, "partition is a whole number"),
        ({"partition": "2147483648"}, "partition is a whole number"),
        ({"partition": "٣"}, "partition is a whole number"),
        ({"partition": "0", "offset_from": "1e3"}, "offset_from is a whole number"),
        ({"partition": "0", "offset_until": "9223372036854775808"}, "offset_until is a whole number"),
        ({"partition": "0", "offset_from": "5", "offset_until": "5"}, "offset_from is below offset_until"),
        ({"offset_from": "5"}, "without its partition"),
        ({"ids": ""}, "ids are"),
        ({"ids": f"{ID},nonsense"}, "ids are"),
        ({"ids": ",".join([ID] * 501)}, "ids are"),
    ],
)
def test_a_wrong_part_is_named(parts: dict[str, str], told: str) -> None:
    """What no dead letter can be found by is refused, and the message names the part."""
    with pytest.raises(InvalidEvent, match=told):
        parse_filter(parts)


@pytest.mark.parametrize("parameters", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "x"}])
def test_a_wrong_page_is_named(parameters: dict[str, str]) -> None:
    """A size or a cursor that is none is refused by name."""
    with pytest.raises(InvalidEvent, match=next(iter(parameters))):
        parse_listing(parameters)
