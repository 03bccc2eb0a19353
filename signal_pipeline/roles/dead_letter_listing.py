"""The query string of `GET /dead-letters`: `class`, `code`, `since`, `until`, `limit`, `cursor`."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.errors import InvalidEvent
from signal_pipeline.store.dead_letter_views import Cursor, DeadLetterFilter

__all__ = ["Listing", "next_cursor", "parse_filter", "parse_listing"]

_DEFAULT_LIMIT: Final = 100
_MAX_LIMIT: Final = 1000
_FILTER_NAMES: Final = ("class", "code", "since", "until")


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
        limit=_limit(page.get("limit")),
        after=_cursor(page.get("cursor")),
    )


def parse_filter(parts: Mapping[str, str]) -> DeadLetterFilter:
    """Return the filter that named parts make; `InvalidEvent` names the one that is wrong."""
    if parts.keys() - set(_FILTER_NAMES):
        raise InvalidEvent(f"the parts of a filter are {', '.join(_FILTER_NAMES)}", code="unknown_parameter")
    failure_class = parts.get("class")
    if failure_class is not None and failure_class not in set(FailureClass):
        raise InvalidEvent(f"class is one of {', '.join(FailureClass)}", code="invalid_parameter")
    since, until = _time(parts, "since"), _time(parts, "until")
    if since and until and since >= until:
        raise InvalidEvent("since is before until", code="invalid_parameter")
    return DeadLetterFilter(
        failure_class=FailureClass(failure_class) if failure_class else None,
        code=parts.get("code"),
        since=since,
        until=until,
    )


def next_cursor(rows: Sequence[Mapping[str, Any]], limit: int) -> str | None:
    """Return the cursor of the next page; None when this page is the last."""
    if len(rows) < limit:
        return None
    last = rows[-1]
    return base64.urlsafe_b64encode(f"{last['last_failed_at'].isoformat()} {last['dlq_id']}".encode()).decode()


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        time, _, dlq_id = base64.urlsafe_b64decode(text).decode().partition(" ")
        return Cursor(last_failed_at=datetime.fromisoformat(time), dlq_id=UUID(dlq_id))
    except (ValueError, binascii.Error) as exc:
        raise InvalidEvent("cursor is the one that the page before gave", code="invalid_parameter") from exc


def _limit(text: str | None) -> int:
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
