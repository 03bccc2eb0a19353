"""What a person asks of the dead letters: the query string of `GET /dead-letters`, the filter of `POST /replay`.

part                       selects dead letters
class, code                whose last failure had this class, this code
since, until               that failed last in [since, until)
partition                  whose original record lay in this partition
offset_from, offset_until  with it: at an offset in [offset_from, offset_until)
ids                        with one of these ids, separated by commas

A query string has `limit` and `cursor` besides.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from signal_pipeline.domain.dead_letters import sanitised
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.dead_letter_metadata import uuid_or_none
from signal_pipeline.store.dead_letter_views import Cursor, DeadLetterFilter

__all__ = ["Listing", "next_cursor", "parse_filter", "parse_limit", "parse_listing"]

_DEFAULT_LIMIT: Final = 100
_MAX_LIMIT: Final = 1000
_MAX_IDS: Final = 500  # what fits a query string that every proxy takes
_LARGEST_INT: Final = 2**31 - 1
_LARGEST_BIGINT: Final = 2**63 - 1
_FILTER_NAMES: Final = ("class", "code", "since", "until", "partition", "offset_from", "offset_until", "ids")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What is to be listed.

    Attributes:
        filter: Which dead letters.
        limit: Most rows of the page.
        after: Last row of the page before; None begins with the newest.
    """

    filter: DeadLetterFilter
    limit: int
    after: Cursor | None


def parse_listing(parameters: Mapping[str, str]) -> Listing:
    """Return what a query string asks for; `InvalidEvent` names the parameter that is wrong."""
    page = {name: parameters[name] for name in ("limit", "cursor") if name in parameters}
    return Listing(
        filter=parse_filter({name: value for name, value in parameters.items() if name not in page}),
        limit=parse_limit(page.get("limit")),
        after=_cursor(page.get("cursor")),
    )


def parse_filter(parts: Mapping[str, str]) -> DeadLetterFilter:
    """Return the filter that named parts make; `InvalidEvent` names the one that is wrong."""
    if parts.keys() - set(_FILTER_NAMES):
        raise InvalidEvent(f"the parts of a filter are {', '.join(_FILTER_NAMES)}", code="unknown_parameter")
    wanted = DeadLetterFilter(
        failure_class=_failure_class(parts.get("class")),
        code=_code(parts.get("code")),
        since=_time(parts, "since"),
        until=_time(parts, "until"),
        partition=_number(parts, "partition", _LARGEST_INT),
        offset_from=_number(parts, "offset_from", _LARGEST_BIGINT),
        offset_until=_number(parts, "offset_until", _LARGEST_BIGINT),
        ids=_ids(parts.get("ids")),
    )
    _check_ranges(wanted)
    return wanted


def next_cursor(rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
    """Return the cursor of the next page; None when this page is the last."""
    if len(rows) < limit:
        return None
    last = rows[-1]
    return base64.urlsafe_b64encode(f"{last['last_failed_at'].isoformat()} {last['dlq_id']}".encode()).decode()


def _check_ranges(wanted: DeadLetterFilter) -> None:
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise InvalidEvent("since is before until", code="invalid_parameter")
    first, end = wanted.offset_from, wanted.offset_until
    if first is not None and end is not None and first >= end:
        raise InvalidEvent("offset_from is below offset_until", code="invalid_parameter")
    if wanted.partition is None and (first is not None or end is not None):
        raise InvalidEvent("an offset says nothing without its partition: give partition too", code="invalid_parameter")


def _failure_class(text: str | None) -> FailureClass | None:
    if text is not None and text not in set(FailureClass):
        raise InvalidEvent(f"class is one of {', '.join(FailureClass)}", code="invalid_parameter")
    return None if text is None else FailureClass(text)


def _code(text: str | None) -> str | None:
    # Codes are recorded in this form, so no other can be found; PostgreSQL would refuse some of them.
    if text is not None and (not text or text != sanitised(text)):
        raise InvalidEvent("code is a SQLSTATE, an HTTP status or a word", code="invalid_parameter")
    return text


def _number(parts: Mapping[str, str], name: str, largest: int) -> int | None:
    text = parts.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(largest)) and int(text) <= largest):
        raise InvalidEvent(f"{name} is a whole number from 0 to {largest}", code="invalid_parameter")
    return int(text)


def _ids(text: str | None) -> tuple[UUID, ...] | None:
    if text is None:
        return None
    found = [uuid_or_none(each.strip()) for each in text.split(",", _MAX_IDS)]
    ids = tuple(each for each in found if each is not None)
    if len(ids) < len(found) or len(ids) > _MAX_IDS:
        raise InvalidEvent(
            f"ids are 1 to {_MAX_IDS} ids of dead letters, separated by commas", code="invalid_parameter"
        )
    return ids


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        time, _, dlq_id = base64.urlsafe_b64decode(text).decode().partition(" ")
        return Cursor(last_failed_at=datetime.fromisoformat(time), dlq_id=UUID(dlq_id))
    except (ValueError, binascii.Error) as exc:
        raise InvalidEvent("cursor is the one that the page before gave", code="invalid_parameter") from exc


def parse_limit(text: str | None) -> int:
    """Return how many rows a page has at most; `InvalidEvent` when that is no number of rows."""
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_LIMIT)) and 1 <= int(text) <= _MAX_LIMIT):
        raise InvalidEvent(f"limit is a whole number from 1 to {_MAX_LIMIT}", code="invalid_parameter")
    return int(text)


def _time(parameters: Mapping[str, str], name: str) -> datetime | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidEvent(f"{name} is an RFC 3339 time", code="invalid_parameter") from exc
    if time.tzinfo is None:
        raise InvalidEvent(f"{name} needs a zone", code="invalid_parameter")
    return time
