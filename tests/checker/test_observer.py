"""The observer goes on whatever is down; what it sees of running parts is proven by the tests that use it."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from confluent_kafka import TopicPartition

from tests.checker.history import Bounds, Sample
from tests.checker.kafka import GROUPS
from tests.checker.observer import Observer

PAGE = b"""# HELP a_total Text.
# TYPE a_total counter
a_total{kind="x y"} 3.0
b 1.5e+06
"""


class OnePage(BaseHTTPRequestHandler):
    """Serves the page above."""

    def do_GET(self) -> None:
        """Answer any address with it."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def page_url() -> Iterator[str]:
    """The address of the one part that is up."""
    with HTTPServer(("127.0.0.1", 0), OnePage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


def test_what_is_down_is_missing_from_the_sample(page_url: str) -> None:
    """With Kafka, PostgreSQL and one function down, a sample holds the page of the other function and nothing else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can serve there
        dead = f"127.0.0.1:{probe.getsockname()[1]}"
        observer = Observer(
            f"postgresql://postgres:postgres@{dead}/eventpipeline",
            dead,
            {"emit": page_url, "auth": f"http://{dead}/metrics"},
            ["test"],
            bounds=Bounds(memory_bytes=1, connections=1, requests=1, events={}, wal_bytes=1),
        )
        observer._places = {
            topic: [TopicPartition(topic, 0)] for topic in (*GROUPS.values(), "signal-events-quarantine")
        }
        (sample,) = observer.look().samples
    assert sample == Sample(pages={"emit": {'a_total{kind="x y"}': 3.0, "b": 1_500_000.0}})
