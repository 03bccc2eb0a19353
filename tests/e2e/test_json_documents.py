"""Real JSON documents, found on the machine, come out of the database as they went in."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudevents.conversion import to_binary, to_dict, to_structured
from cloudevents.http import CloudEvent

from tests.support.pipeline import Pipeline
from tests.support.sender import BATCH_HEADERS, Sender

_WANTED = 330
_LARGEST = 200 * 1024
_DEEPEST = 32
_BATCH_BYTES = 1_000_000
_ROOTS = (Path(sys.base_prefix), Path(sys.prefix), Path("/usr/share"), Path("/usr/lib"))


async def test_documents_are_stored_as_they_are(pipeline: Pipeline, sender: Sender) -> None:
    """At least 300 documents, a third in each mode of the CloudEvents SDK, are stored as the same JSON values."""
    documents = list(_documents())
    if len(documents) < 300:
        pytest.skip(f"only {len(documents)} JSON documents on this machine")
    sent = [_event(sender.source, number, document) for number, document in enumerate(documents)]
    for event in sent[0::3]:
        assert await sender.post([to_dict(event)], *to_binary(event))
    for event in sent[1::3]:
        assert await sender.post([to_dict(event)], *to_structured(event))
    for batch in _batches([to_dict(event) for event in sent[2::3]]):
        assert await sender.post(batch, BATCH_HEADERS, json.dumps(batch).encode())
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)
    assert report.checked("I3") == len(documents)


def _event(source: str, number: int, document: Any) -> CloudEvent:
    attributes = {
        "id": f"document-{number}",
        "source": source,
        "type": "document",
        "datacontenttype": "application/json",
        "time": "2026-01-01T00:00:00Z",
    }
    return CloudEvent(attributes, document)


def _batches(events: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    for event in events:
        length = len(json.dumps(event))
        if batch and size + length > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += length
    if batch:
        yield batch


def _documents() -> Iterator[Any]:
    """Yield documents that keep the documented limits; each different text once."""
    seen: set[str] = set()
    for path in _files():
        try:
            text = path.read_text(encoding="utf-8")
            document = json.loads(text, object_pairs_hook=_without_repeated_keys)
        except (OSError, ValueError, RecursionError):
            continue
        if text not in seen and isinstance(document, dict | list) and _is_storable(document):
            seen.add(text)
            yield document
        if len(seen) == _WANTED:
            return


def _files() -> Iterator[Path]:
    for root in _ROOTS:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                path = Path(folder, name)
                if name.endswith(".json") and path.is_file() and path.stat().st_size <= _LARGEST:
                    yield path


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _is_storable(value: Any, depth: int = 0) -> bool:
    """Tell whether a document keeps the limits on depth, texts and the length of a session id."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        session = value.get("session_id", "") if depth == 0 else ""
        short = not isinstance(session, str) or len(session.encode()) <= 256
        return short and all(_is_storable(each, depth + 1) for each in (*value.keys(), *value.values()))
    if isinstance(value, list):
        return all(_is_storable(each, depth + 1) for each in value)
    return not isinstance(value, str) or _is_text(value)


def _is_text(value: str) -> bool:
    lone_surrogate = any("\ud800" <= character <= "\udfff" for character in value)
    return "\x00" not in value and not lone_surrogate
