"""What one request costs emit, in a process of its own: `python -m tests.abuse.measured NAME`."""

import asyncio
import gzip
import json
import resource
import sys
import time
from collections.abc import Callable

from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.metrics_page import MetricsPage
from tests.contract.emit_app import BATCH, BINARY, EVENT, JSON, STRUCTURED, EmitToList, Headers, RecordingProducer, post

__all__ = ["COSTLY"]

_MIB = 1024**2
_OPEN = json.dumps(EVENT).encode()[:-1] + b',"data":'


def _keys(number: int, separator: bytes = b",") -> bytes:
    return b"{" + separator.join(b'"key%d":%d' % (each, each) for each in range(number)) + b"}"


def _list(value: bytes, size: int) -> bytes:
    return b"[" + b",".join([value] * (size // (len(value) + 1) - 1)) + b"]"


# Name: what makes the headers and the body, and the statuses that may answer.
COSTLY: dict[str, tuple[Callable[[], tuple[Headers, bytes]], set[int]]] = {
    "depth of 10,000": (lambda: ((JSON, *BINARY), b"[" * 10_000 + b"]" * 10_000), {400}),
    "depth of 2,000,000": (lambda: ((BATCH,), b"[" * 2_000_000), {413}),
    "100,000 keys": (lambda: ((JSON, *BINARY), _keys(100_000)), {413}),
    "100,000 keys in a batch": (lambda: ((BATCH,), b"[" + _OPEN + _keys(100_000) + b"}]"), {413}),
    "all keys that fit": (lambda: ((BATCH,), b"[" + _OPEN + _keys(200_000, b", ") + b"}]"), {413}),
    "a string of 10 MB": (lambda: ((STRUCTURED,), _OPEN + b'"' + b"x" * 10**7 + b'"}'), {413}),
    "a string of 4 MB": (lambda: ((BATCH,), b'["' + b"x" * (4 * _MIB - 10) + b'"]'), {400}),
    "empty lists": (lambda: ((BATCH,), _list(b"[]", 4 * _MIB)), {413}),
    "empty objects": (lambda: ((BATCH,), _list(b"{}", 4 * _MIB)), {413}),
    "nested lists": (lambda: ((BATCH,), _list(b"[" * 30 + b"]" * 30, 4 * _MIB)), {413}),
    "numbers": (lambda: ((BATCH,), b"[" + _OPEN + _list(b"0.5", 4 * _MIB - 100) + b"}]"), {413}),
    "one number of 250,000 digits": (lambda: ((JSON, *BINARY), b"1" * 250_000), {400}),
    "an exponent of 250,000 digits": (lambda: ((JSON, *BINARY), b"1e" + b"9" * 250_000), {400}),
    "a zip bomb": (lambda: ((BATCH, ("content-encoding", "gzip")), gzip.compress(b" " * 500 * _MIB, 1)), {415}),
}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _measured(name: str) -> dict[str, float]:
    producer = RecordingProducer()
    function = EmitToList(producer)
    app = FunctionApp(function, MetricsPage(function.registry, address="127.0.0.1", port=0))
    await post(app, [EVENT], BATCH)  # what is made once is not this request's
    headers, body = COSTLY[name][0]()
    peak, started = _peak(), time.process_time()
    answer = await post(app, body, *headers)
    seconds, mebibytes = time.process_time() - started, _peak() - peak
    for _ in range(2):  # other programs share the processor's caches: the best of three is this program's own
        started = time.process_time()
        await post(app, body, *headers)
        seconds = min(seconds, time.process_time() - started)
    return {
        "status": answer.status,
        "produced": len(producer.records) - 1,
        "milliseconds": seconds * 1000,
        "mebibytes": mebibytes,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(sys.argv[1]))))  # noqa: T201 - the answer to the test that started it
