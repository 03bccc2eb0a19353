"""Reads what a dead letter says about itself. Pure.

The metadata can be forged: text is cut to what a column holds, numbers to their range, an unknown class counts as
unexpected, a time that cannot be read is the time of arrival. Only where the record came from must be there.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import orjson

from signal_pipeline.domain.dead_letters import NAMES, DeadLetterMetadata, Disposition, disposition_of, sanitised
from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.topology import ROLES, SIGNAL_EVENTS

__all__ = [
    "garbage_metadata",
    "knative_metadata",
    "knative_metadata_of_record",
    "named_values",
    "read_metadata",
    "uuid_or_none",
]

_GARBAGE_GROUP: Final = "replay-dlq"
_KNATIVE_GROUP: Final = "knative"
_MAX_CODE_CHARACTERS: Final = 60  # at most 240 bytes of UTF-8, and the column takes 256
_LARGEST_INT32: Final = 2**31 - 1
_LARGEST_INT64: Final = 2**63 - 1
_DIGITS: Final = len(str(_LARGEST_INT64))
_ANSWERS: Final = {
    "400": FailureClass.INVALID,
    "413": FailureClass.INVALID,
    "415": FailureClass.INVALID,
    "422": FailureClass.INVALID,
    "401": FailureClass.ENDPOINT,
    "403": FailureClass.ENDPOINT,
    "404": FailureClass.ENDPOINT,
    "405": FailureClass.ENDPOINT,
    "410": FailureClass.ENDPOINT,
    "408": FailureClass.DEPENDENCY,
    "429": FailureClass.OVERLOAD,
    "502": FailureClass.DEPENDENCY,
    "503": FailureClass.DEPENDENCY,
    "504": FailureClass.DEPENDENCY,
}


def named_values(values: Mapping[str, str], *, prefix: str) -> dict[str, str]:
    """Return the metadata among extensions: `dlqid` under prefix "", `kafkaheadercedlqid` under "kafkaheaderce"."""
    wanted = {name: prefix + name.removeprefix("ce_") for name in NAMES}
    return {name: values[extension] for name, extension in wanted.items() if extension in values}


def read_metadata(values: Mapping[str, str], *, now: datetime) -> DeadLetterMetadata | None:
    """Return the metadata of a dead letter; None when it does not say where the record came from.

    Args:
        values: Texts by the names of `NAMES`.
        now: Time of arrival.
    """
    topic = sanitised(values.get("ce_dlqtopic", ""))
    partition = _number(values.get("ce_dlqpartition"), _LARGEST_INT32)
    offset = _number(values.get("ce_dlqoffset"), _LARGEST_INT64)
    if not topic or partition is None or offset is None:
        return None
    failure_class = _failure_class(values.get("ce_dlqclass"))
    first = _time(values.get("ce_dlqfirsttime"), now)
    return DeadLetterMetadata(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp_ms=_number(values.get("ce_dlqtimestamp"), _LARGEST_INT64) or 0,
        failure_class=failure_class,
        code=sanitised(values.get("ce_dlqcode", ""))[:_MAX_CODE_CHARACTERS],
        message=sanitised(values.get("ce_dlqmessage", "")),
        attempts=max(_number(values.get("ce_dlqattempts"), _LARGEST_INT32) or 1, 1),
        first_failed_at=first,
        last_failed_at=max(_time(values.get("ce_dlqlasttime"), now), first),
        group=sanitised(values.get("ce_dlqgroup", "")),
        function=sanitised(values.get("ce_dlqfunction", "")),
        build=sanitised(values.get("ce_dlqbuild", "")),
        disposition=_disposition(values.get("ce_dlqdisposition"), failure_class),
        traceparent=sanitised(values.get("ce_dlqtraceparent", "")),
    )


def knative_metadata(
    values: Mapping[str, str], *, partition: int, offset: int, timestamp_ms: int, now: datetime
) -> DeadLetterMetadata | None:
    """Return what is known of a record that Knative dead-lettered; None when Knative did not.

    Args:
        values: Extensions by name: `knativeerrordest`, `knativeerrorcode`, `knativeerrordata`, and `failureclass`, the
            copy of the function's header `Kne-Failureclass`.
        partition: Partition of the dead letter itself, when it came through a source that put its own place over the
            original's.
        offset: Its offset.
        timestamp_ms: Its timestamp, milliseconds since 1970.
        now: Time of arrival.
    """
    code = values.get("knativeerrorcode")
    if code is None and "knativeerrordest" not in values:
        return None
    known = values.get("failureclass")
    failure_class = _failure_class(known) if known else _ANSWERS.get(code or "", FailureClass.UNEXPECTED)
    answer = _answer(values.get("knativeerrordata", ""))
    problem = _problem(answer)
    destination = values.get("knativeerrordest", "")
    function = next((role.name for role in ROLES if role.name in destination), "")
    return DeadLetterMetadata(
        topic=SIGNAL_EVENTS.name,
        partition=partition,
        offset=offset,
        timestamp_ms=timestamp_ms,
        failure_class=failure_class,
        code=sanitised(problem.get("code") or code or "unknown")[:_MAX_CODE_CHARACTERS],
        message=sanitised(problem.get("detail") or answer),
        attempts=1,
        first_failed_at=now,
        last_failed_at=now,
        # Its own group keeps ids apart: partition and offset are the dead letter's, not the original record's.
        group="confirm-outbox" if function == "confirm-outbox" else _KNATIVE_GROUP,
        function=function,
        build="",
        disposition=disposition_of(failure_class),
    )


def knative_metadata_of_record(
    values: Mapping[str, str], *, partition: int, offset: int, timestamp_ms: int, now: datetime
) -> DeadLetterMetadata | None:
    """Return the same of a record of the dead-letter topic, which still says where the original lay.

    A KafkaSource adds `knativekafkapartition` and `knativekafkaoffset` to every event. With them and the function that
    failed, the dead letter has the id that our trigger would have given it.
    """
    metadata = knative_metadata(values, partition=partition, offset=offset, timestamp_ms=timestamp_ms, now=now)
    origin = _number(values.get("knativekafkapartition"), _LARGEST_INT32)
    origin_offset = _number(values.get("knativekafkaoffset"), _LARGEST_INT64)
    if metadata is None or not metadata.function or origin is None or origin_offset is None:
        return metadata
    return replace(metadata, partition=origin, offset=origin_offset, group=metadata.function)


def _answer(data: str) -> str:
    """Return the text of the answer's first bytes, which Knative keeps in base64."""
    try:
        return base64.b64decode(data, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return data


def _problem(answer: str) -> dict[str, str]:
    """Return the texts of the problem that a function of ours answered; none of any other answer."""
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def garbage_metadata(
    *, topic: str, partition: int, offset: int, timestamp_ms: int, now: datetime
) -> DeadLetterMetadata:
    """Return metadata for a record on the dead-letter topic that is no dead letter: poison, by its own place."""
    return DeadLetterMetadata(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp_ms=timestamp_ms,
        failure_class=FailureClass.INVALID,
        code="not_a_dead_letter",
        message="the record does not say where it came from",
        attempts=1,
        first_failed_at=now,
        last_failed_at=now,
        group=_GARBAGE_GROUP,
        function=_GARBAGE_GROUP,
        build="",
        disposition=Disposition.POISON,
    )


def uuid_or_none(text: str | None) -> UUID | None:
    """Return the UUID that a text is; None when it is none."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _number(text: str | None, largest: int) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None
    return int(text) if int(text) <= largest else None


def _failure_class(text: str | None) -> FailureClass:
    try:
        return FailureClass(text or "")
    except ValueError:
        return FailureClass.UNEXPECTED


def _disposition(text: str | None, failure_class: FailureClass) -> Disposition:
    try:
        return Disposition(text or "")
    except ValueError:
        return disposition_of(failure_class)


def _time(text: str | None, default: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text or "")
        return found.astimezone(UTC) if found.tzinfo else default
    except (ValueError, OverflowError):
        return default
