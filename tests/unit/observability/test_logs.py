"""What a log line looks like, whoever writes it and whatever is in it."""

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from signal_pipeline.observability.logs import configure_logs, get_logger


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged while a test runs."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs(role="emit", level="info", stream=stream)
    yield stream
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_obeys_nobody(log: io.StringIO) -> None:
    """No control character, of seven bits or eight, and no other end of a line leaves; what was meant can be read."""
    wild = "".join(map(chr, (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029))) + 'é"\\'
    get_logger().warning("event_refused", event_id=wild)
    (line,) = log.getvalue().split("\n")[:-1]
    assert line.isprintable()
    assert json.loads(line)["event_id"] == wild


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token eyJhbGciOi.eyJzdWIiOi.c2ln_-x!", "token [hidden]!"),
        (f"key {'spk_' + 'a1' * 24} refused", "key [hidden] refused"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
        ("Authorization: Basic dXNlcjpwYXNz, next", "Authorization: Basic [hidden], next"),
        ("at postgresql://ann:p%40ss@db/x now", "at postgresql://ann:[hidden]@db/x now"),  # not a secret
        ("at rediss://:pw@redis:6379/0", "at rediss://:[hidden]@redis:6379/0"),
        ("http://127.0.0.1:8001/emit?user=a@b", "http://127.0.0.1:8001/emit?user=a@b"),
        ("Basic rules; spk_ is a prefix; eyJ.a.b", "Basic rules; spk_ is a prefix; eyJ.a.b"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, shown: str, log: io.StringIO) -> None:
    """In any field, in nested values, and in what libraries log; the line stays JSON."""
    get_logger().warning("failed", detail=text, nested={"a": [text]})
    logging.getLogger("library").warning("%s", text)
    ours, theirs = (json.loads(line) for line in log.getvalue().split("\n")[:-1])
    assert (ours["detail"], ours["nested"]["a"], theirs["message"]) == (shown, [shown], shown)


def test_every_thread_names_the_role(log: io.StringIO) -> None:
    """Also what a library logs in a thread of its own has time, level, role and event."""
    thread = threading.Thread(target=logging.getLogger("library").warning, args=("%s is away", "broker"))
    thread.start()
    thread.join()
    line = json.loads(log.getvalue())
    assert (line["role"], line["level"], line["event"], line["message"]) == (
        "emit", "warning", "library_log", "broker is away",
    )  # fmt: skip
    assert line["timestamp"]
