"""Dead letters as the wire shows them: whose they are, and whether they still are what was sent."""

import json
from collections.abc import Iterable
from uuid import UUID

from tests.checker.model import Position, RawRecord
from tests.checker.versions import identity_of

__all__ = ["identities", "identity", "keeps", "origin"]


def origin(letter: RawRecord) -> Position | None:
    """Return where the record lay that a dead letter was made of; None when it does not say."""
    names = {name.removeprefix("ce_").replace("-", ""): content for name, content in letter.headers}
    topic, partition, offset = (names.get(f"dlq{name}") for name in ("topic", "partition", "offset"))
    if topic is None or partition is None or offset is None:
        return None
    return Position(topic=topic.decode(), partition=int(partition), offset=int(offset))


def keeps(letter: RawRecord, record: RawRecord) -> bool:
    """Tell whether a dead letter has the record's key and value, and all its headers in their order."""
    remaining = iter(letter.headers)
    return (
        letter.key == record.key and letter.value == record.value and all(each in remaining for each in record.headers)
    )


def identities(letters: Iterable[RawRecord]) -> set[UUID]:
    """Return the row ids of the events among dead letters."""
    return {found for found in map(identity, letters) if found is not None}


def identity(letter: RawRecord) -> UUID | None:
    """Return the id of the row that the event would have; None when the record is no event."""
    headers = dict(letter.headers)
    event_id, source = headers.get("ce_id"), headers.get("ce_source")
    if event_id is not None and source is not None:
        return identity_of(source.decode(errors="replace"), event_id.decode(errors="replace"))
    return _identity_in_value(letter.value)


def _identity_in_value(value: bytes | None) -> UUID | None:
    try:
        event = json.loads(value or b"")
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    event_id, source = event.get("event_id", event.get("id")), event.get("source")
    return identity_of(source, event_id) if isinstance(event_id, str) and isinstance(source, str) else None
