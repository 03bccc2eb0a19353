"""What a person sees of the record in a dead letter."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.roles.dead_letter_preview import HIDDEN, PREVIEW_BYTES, shown


def row(value: bytes | None = b"{}", key: bytes | None = b"user", headers: Any = ()) -> dict[str, Any]:
    """Return what the query gives of a record."""
    encoded = [[name, None if content is None else base64.b64encode(content).decode()] for name, content in headers]
    return {
        "dlq_id": "1",
        "key_beginning": key,
        "key_bytes": None if key is None else len(key),
        "value_beginning": None if value is None else value[:PREVIEW_BYTES],
        "value_bytes": None if value is None else len(value),
        "record_headers": encoded,
    }


def test_text_is_shown_as_text() -> None:
    """Key, value and headers that are UTF-8 are shown as they are, and nothing raw beside them."""
    found = shown(row(b'{"a":1}', headers=[("ce_id", "é".encode()), ("empty", None)]))
    assert found["value"] == {"bytes": 7, "truncated": False, "encoding": "utf-8", "text": '{"a":1}'}
    assert found["key"]["text"] == "user"
    assert [each["text"] for each in found["headers"]] == ["é", None]
    assert set(found) == {"dlq_id", "key", "value", "headers", "header_count"}


def test_other_bytes_are_shown_in_base64() -> None:
    """Bytes that are no text are shown as base64; a key that was none stays none."""
    found = shown(row(b"\xff\x00", key=None))
    assert (found["value"]["encoding"], found["value"]["text"]) == ("base64", "/wA=")
    assert found["key"] is None


@pytest.mark.parametrize("shift", range(4))
def test_a_long_value_is_cut_between_characters(shift: int) -> None:
    """Of a long value the beginning is shown, without half a character at its end, and its size is the whole one."""
    content = b"x" * shift + "𝄞".encode() * 2000
    value = shown(row(content))["value"]
    assert (value["bytes"], value["truncated"], value["encoding"]) == (8000 + shift, True, "utf-8")
    assert content.startswith(value["text"].encode())
    assert len(value["text"].encode()) > PREVIEW_BYTES - 4


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "Cookie", "db_password", "refresh_token"])
def test_secrets_are_hidden(name: str) -> None:
    """A header or a JSON member with the name of a secret is shown without its content, also where the value is cut."""
    for text in (f'{{"{name}": "hunter2\\"hunter2", "b": 1}}', f'{{"{name}":"hunter2', f'{{"{name}": 4711}}'):
        found = shown(row(text.encode(), headers=[(name, b"hunter2"), ("ce_type", b"click")]))
        assert "hunter2" not in str(found)
        assert "4711" not in str(found)
        assert found["headers"][0]["text"] == HIDDEN
        assert found["headers"][1]["text"] == "click"


def test_headers_are_bounded() -> None:
    """At most 64 headers of at most 512 bytes are shown, with the number of all."""
    found = shown(row(headers=[("x", b"y" * 1000)] * 100))
    assert (len(found["headers"]), found["header_count"]) == (64, 100)
    assert len(found["headers"][0]["text"]) == 512


@given(value=st.binary(max_size=200), key=st.none() | st.binary(max_size=20))
def test_any_record_can_be_shown(value: bytes, key: bytes | None) -> None:
    """Whatever the bytes are, something is shown."""
    assert shown(row(value, key))["value"]["bytes"] == len(value)
