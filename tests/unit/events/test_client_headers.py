"""Headers that the Kafka client cannot read."""

import pytest

from signal_pipeline.errors import InvalidEvent
from signal_pipeline.events.client_headers import UNREADABLE, headers_of
from signal_pipeline.events.kafka import KafkaRecord, decode_record


class Message:
    """A message as the client gives it: what `headers` returns, or raises."""

    def __init__(self, found: object) -> None:
        self._found = found

    def headers(self) -> object:
        """Return the headers, or raise."""
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


@pytest.mark.parametrize("found", [None, [], [("a", b"1"), ("a", None)]])
def test_readable_headers_are_given_in_their_order(found: list[tuple[str, bytes | None]] | None) -> None:
    """No headers, and names that occur twice."""
    assert headers_of(Message(found)) == tuple(found or ())


def test_a_record_with_unreadable_headers_is_never_a_valid_event() -> None:
    """Not even when its value would make it a plain record that is a signal."""
    headers = headers_of(Message(SystemError("returned a result with an exception set")))
    assert headers == UNREADABLE
    plain = b'{"id":"1","source":"web","type":"click"}'
    with pytest.raises(InvalidEvent):
        decode_record(KafkaRecord("signal-events", 0, 0, 0, None, plain, headers), source="")
