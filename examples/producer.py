"""Send signals to the pipeline with the CloudEvents SDK, in each of the three HTTP modes.

    python examples/producer.py --mode batch --count 500

An event is accepted when the answer is 202. On 429, 503 or no answer send the *same* events again, with the same ids:
the pipeline stores an event once, however often it arrives.
"""

import argparse
import json
import random
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from cloudevents.conversion import to_binary, to_dict, to_structured
from cloudevents.http import CloudEvent

SOURCE = "example-producer"
TIMEOUT_SECONDS = 30
ATTEMPTS = 5


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8001/emit", help="where emit listens")
    parser.add_argument("--api-key", default="dev-test-key-123", help="the setting EMIT_API_KEY")
    parser.add_argument("--mode", choices=("binary", "structured", "batch"), default="binary")
    parser.add_argument("--count", type=int, default=10, help="signals to send")
    parser.add_argument("--source", default=SOURCE, help="source of the events")
    parser.add_argument("--data", help="value of `data` in every signal; a random sample value when not given")
    return parser.parse_args()


def signals(count: int, source: str, data: str | None) -> Iterator[CloudEvent]:
    """Make sample signals: the subject is the user, the data becomes the payload of the row."""
    for _ in range(count):
        attributes = {
            "id": str(uuid.uuid4()),  # a UUID is used as the row's id; any other text counts within its source
            "source": source,
            "type": random.choice(("login", "purchase", "click")),  # noqa: S311  sample data, not a secret
            "subject": f"user_{random.randint(1, 1000)}",  # noqa: S311
            "time": datetime.now(UTC).isoformat(),
        }
        value = data or f"sample_data_{random.randint(1, 100)}"  # noqa: S311
        yield CloudEvent(attributes, {"session_id": f"sess_{random.randint(10_000, 99_999)}", "data": value})  # noqa: S311


def requests(events: Iterable[CloudEvent], mode: str) -> Iterator[tuple[Mapping[str, str], bytes]]:
    """Yield headers and body of the requests that carry the events."""
    if mode == "batch":
        # The SDK knows no batch mode: a batch is the JSON list of the events' JSON format.
        body = json.dumps([to_dict(event) for event in events]).encode()
        yield {"content-type": "application/cloudevents-batch+json"}, body
        return
    for event in events:
        if mode == "binary":
            headers, body = to_binary(event)
            headers["content-type"] = "application/json"
        else:
            headers, body = to_structured(event)
        yield headers, body


def send(url: str, api_key: str, headers: Mapping[str, str], body: bytes) -> int:
    """Post one request until it is accepted and return how many events it added; `HTTPError` when it is refused."""
    # The address is the caller's own, so its scheme needs no check.
    request = urllib.request.Request(url, data=body, headers={**headers, "X-API-Key": api_key})  # noqa: S310
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return int(json.load(answer)["accepted"])
        except urllib.error.HTTPError as refusal:
            if refusal.code not in {429, 503} or attempt == ATTEMPTS:
                raise
            time.sleep(float(refusal.headers.get("Retry-After", 1)))
    raise AssertionError("the last attempt returns or raises")


def main() -> int:
    """Send the signals and say how many were accepted."""
    options = arguments()
    accepted = 0
    for headers, body in requests(signals(options.count, options.source, options.data), options.mode):
        try:
            accepted += send(options.url, options.api_key, headers, body)
        except urllib.error.HTTPError as refusal:
            print(f"refused with {refusal.code}: {refusal.read().decode()}", file=sys.stderr)
            return 1
    print(f"{accepted} signals accepted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
