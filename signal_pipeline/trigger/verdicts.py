"""What a function's answer means for each event of a delivery. Pure.

200, 202, 204            every event is durable
207                      all but the listed ones are; an answer that contradicts itself counts as unreadable
400, 413, 415, 422       this can never work
429, 502, 503, 504, 408  not now
3xx, 401, 403-405, 410   the address or token is wrong, not the event
anything else            unexpected

The failure class that a function names is believed where it fits the status. Behind OpenFaaS' gateway a 500 may be the
gateway's own word for a function that it cannot reach; that says nothing about the event.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from signal_pipeline.domain.failures import Failure, FailureClass

__all__ = ["Answer", "failed_whole", "read_answer", "status_behind_gateway"]

_MAX_DETAIL: Final = 500
_DURABLE: Final = frozenset({200, 202, 204})
_PERMANENT: Final = (FailureClass.INVALID, FailureClass.REJECTED)
_NOT_NOW: Final = (FailureClass.DEPENDENCY, FailureClass.CONTENTION, FailureClass.OVERLOAD)
_ENDPOINT: Final = (FailureClass.ENDPOINT,)
_UNEXPECTED: Final = (FailureClass.UNEXPECTED,)
# The first class of a status is meant when the function names none, or one that does not fit.
_CLASSES: Final[dict[int, tuple[FailureClass, ...]]] = {
    400: _PERMANENT,
    413: _PERMANENT,
    415: _PERMANENT,
    422: _PERMANENT,
    401: _ENDPOINT,
    403: _ENDPOINT,
    404: _ENDPOINT,
    405: _ENDPOINT,
    410: _ENDPOINT,
    408: (FailureClass.DEPENDENCY,),
    429: (FailureClass.OVERLOAD,),
    502: (FailureClass.DEPENDENCY,),
    503: (*_NOT_NOW, FailureClass.ENDPOINT),
    504: (FailureClass.DEPENDENCY,),
}
_MULTI_STATUS: Final = 207
_UNSUPPORTED: Final = 415
_SERVER_ERROR: Final = 500
_UNAVAILABLE: Final = 503
# What OpenFaaS' provider writes, as plain text, when the connection to a function fails or breaks, and its gateway when
# it cannot scale one from zero.
_UNREACHED: Final = (b"Can't reach service for:", b"error finding function")
_FIRST_BYTES: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The outcome of one delivery.

    Attributes:
        failures: Failed events by their index; all others are durable. Empty when `whole` is set.
        whole: Failure of the delivery as one; None when each event has its own outcome.
        retry_after_seconds: How long the function asked to be left alone.
        refuses_batches: The function takes single events only.
        delivery: Id of the request, by which the function's log lines about it are found.
    """

    failures: Mapping[int, Failure] = field(default_factory=dict)
    whole: Failure | None = None
    retry_after_seconds: float = 0.0
    refuses_batches: bool = False
    delivery: str = ""


def failed_whole(failure_class: FailureClass, code: str, detail: str) -> Answer:
    """Return the answer to a delivery that failed as one, before or without a readable answer."""
    return Answer(whole=Failure(failure_class=failure_class, code=code, detail=detail))


def status_behind_gateway(status: int, body: bytes) -> int:
    """Return the status that is meant by an answer that came through OpenFaaS' gateway."""
    if status == _SERVER_ERROR and any(text in body[:_FIRST_BYTES] for text in _UNREACHED):
        return _UNAVAILABLE
    return status


def read_answer(*, status: int, body: bytes, events: int, batch: bool, retry_after_seconds: float) -> Answer:
    """Read a function's answer.

    Args:
        status: HTTP status.
        body: Body, as far as it was read.
        events: Number of events delivered.
        batch: Whether they travelled as a batch.
        retry_after_seconds: The Retry-After, already bounded.
    """
    if status in _DURABLE:
        return Answer()
    if status == _MULTI_STATUS:
        return _multi_status(body, events, retry_after_seconds)
    document = _json_object(body)
    return Answer(
        whole=_failure(status, document),
        retry_after_seconds=retry_after_seconds,
        refuses_batches=batch and status == _UNSUPPORTED,
    )


def _multi_status(body: bytes, events: int, retry_after_seconds: float) -> Answer:
    results = _json_object(body).get("results")
    if not isinstance(results, list) or not results:
        return _unreadable("a 207 lists no results")
    failures: dict[int, Failure] = {}
    for result in results:
        index = result.get("index") if isinstance(result, dict) else None
        status = result.get("status") if isinstance(result, dict) else None
        if type(index) is not int or not 0 <= index < events or index in failures:
            return _unreadable("a 207 names an event that was not sent, or one twice")
        if type(status) is not int or status < 400:  # noqa: PLR2004 - a listed event failed, by contract
            return _unreadable("a 207 lists an event without a failure status")
        failures[index] = _failure(status, result)
    return Answer(failures=failures, retry_after_seconds=retry_after_seconds)


def _unreadable(detail: str) -> Answer:
    return failed_whole(FailureClass.UNEXPECTED, "unreadable_answer", detail)


def _failure(status: int, document: Mapping[str, Any]) -> Failure:
    classes = _classes_of(status)
    named = document.get("class")
    failure_class = next((one for one in classes if one.value == named), classes[0])
    code, detail = document.get("code"), document.get("detail")
    return Failure(
        failure_class=failure_class,
        code=code if isinstance(code, str) and code else f"http_{status}",
        detail=detail[:_MAX_DETAIL] if isinstance(detail, str) else f"the function answered {status}",
        status=status,
    )


def _classes_of(status: int) -> tuple[FailureClass, ...]:
    if 300 <= status < 400:  # noqa: PLR2004 - redirects are never followed
        return _ENDPOINT
    return _CLASSES.get(status, _UNEXPECTED)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
