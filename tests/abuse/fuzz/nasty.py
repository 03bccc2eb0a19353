"""What readers stumble over, and how it gets into a request. All of it comes from the given generator."""

import json
import random
from collections.abc import Callable
from typing import Any

__all__ = ["header_value", "mutated", "path_part"]

TOKENS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\u0000", b"\\ud800", b"NaN", b"-Infinity", b"1e999",
    b"1e-999", b"9" * 400, b"[" * 40, b"{}" * 9, b'"a":1,"a":2,', b'{"$gt":""}', b"'; DROP TABLE signals; --",
    b"\r\n\r\n", b"\x1b[2J", b"${jndi:ldap://x}", b"x" * 300, b"null", b"true", b"-0", b'"', b"\\", b",", b":",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 10**30, 10**310, 0.1, "", " ", "x" * 257, "x" * 3000, "\x00", "\ud800",
    "\U0001f600",
    "infinity", "300000-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "1.0", "__proto__", {"$gt": ""}, [], {}, [[]] * 5, "../../etc/passwd", "a\r\nb", "%00",
    "http://169.254.169.254/", "text/plain", "application/json", "ff" * 16, "-5",
    "7d444840-9dc0-11d1-b245-5ffdce74fad2", "signal-events-quarantine",
)  # fmt: skip


def _span(rng: random.Random, raw: bytes) -> tuple[int, int]:
    start = rng.randrange(len(raw) + 1)
    return start, min(len(raw), start + rng.randrange(1, 12))


def _flip(rng: random.Random, raw: bytes) -> bytes:
    if not raw:
        return raw
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def _delete(rng: random.Random, raw: bytes) -> bytes:
    start, end = _span(rng, raw)
    return raw[:start] + raw[end:]


def _repeat(rng: random.Random, raw: bytes) -> bytes:
    start, end = _span(rng, raw)
    return raw[:end] + raw[start:end] * rng.choice((1, 2, 50)) + raw[end:]


def _insert(rng: random.Random, raw: bytes) -> bytes:
    start, _ = _span(rng, raw)
    return raw[:start] + rng.choice(TOKENS) + raw[start:]


def _cut(rng: random.Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw) + 1)]


def _value(rng: random.Random, raw: bytes) -> bytes:
    """Exchange one value of a JSON document, so that what comes is well formed and means something else."""
    try:
        document = json.loads(raw)
    except ValueError:
        return raw
    holder = [document]
    place: Any = 0
    inner: Any = holder
    while isinstance(inner[place], dict | list) and inner[place] and rng.random() < 0.9:
        inner = inner[place]
        place = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
    if isinstance(inner, dict) and rng.random() < 0.2:
        inner[str(rng.choice(VALUES))] = inner.pop(place)
    else:
        inner[place] = rng.choice(VALUES)
    return json.dumps(holder[0], ensure_ascii=rng.random() < 0.5).encode(errors="surrogatepass")


_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip, _delete, _repeat, _insert, _cut, _value, _value, _value
)  # fmt: skip


def mutated(rng: random.Random, raw: bytes) -> bytes:
    """Return a body with none to three changes."""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        raw = rng.choice(_MUTATIONS)(rng, raw)
    return raw


def header_value(rng: random.Random, value: str) -> str:
    """Return a header's value with a change, of the characters that a server lets through."""
    raw = mutated(rng, value.encode("latin-1", "replace"))
    return "".join(character for character in raw.decode("latin-1") if character >= " " and character != "\x7f")[:8000]


def path_part(rng: random.Random) -> str:
    """Return a part of an address, percent-encoded where it must be."""
    return "".join(f"%{byte:02x}" for byte in str(rng.choice(VALUES)).encode(errors="surrogatepass")[:200])
