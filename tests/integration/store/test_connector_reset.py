"""Letting the connector begin anew, at a REST interface that behaves as Kafka Connect's."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from signal_pipeline.broker.connector import CONNECTOR_NAME, connector_configuration
from signal_pipeline.broker.connector_reset import reset_connector
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings

PATH = f"/connectors/{CONNECTOR_NAME}"


@pytest.fixture
def connect() -> Iterator[tuple[Settings, list[str], dict[str, int]]]:
    """Settings that lead to a worker, the changes asked of it, and how often each of them is refused."""
    orders: list[str] = []
    refusals: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            what = self.path.removeprefix(f"{PATH}/")
            answers = {
                "config": connector_configuration(settings) | {"name": CONNECTOR_NAME},
                "status": {"connector": {"state": "RUNNING"}, "tasks": [{"state": "RUNNING"}]},
            }
            refused = refusals.get(what, 0) > 0
            if self.command != "GET":
                orders.append(f"{self.command} {what}")
                refusals[what] = refusals.get(what, 0) - 1
            self.send_response(400 if refused else 200)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(what, {})).encode())

        do_GET = do_PUT = do_DELETE = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    settings = Settings(_env_file=None, connect_url=f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, daemon=True).start()
    yield settings, orders, refusals
    server.shutdown()
    server.server_close()


def test_offsets_are_forgotten_while_the_connector_is_stopped(
    connect: tuple[Settings, list[str], dict[str, int]],
) -> None:
    """Connect refuses to forget offsets while a task still runs: it is asked again, and then the connector goes on."""
    settings, orders, refusals = connect
    refusals["offsets"] = 2
    reset_connector(settings)
    assert orders == ["PUT stop", *["DELETE offsets"] * 3, "PUT resume"]


def test_a_connector_that_cannot_be_stopped_is_left_alone(
    connect: tuple[Settings, list[str], dict[str, int]],
) -> None:
    """When the stop is refused, as where there is no connector, nothing is forgotten and the message says it."""
    settings, orders, refusals = connect
    refusals["stop"] = 1
    with pytest.raises(DependencyUnavailable, match="refuses to stop"):
        reset_connector(settings)
    assert orders == ["PUT stop"]


def test_a_worker_that_is_away_is_said() -> None:
    """Without a worker the error names the setting that leads to it."""
    with pytest.raises(DependencyUnavailable, match="CONNECT_URL"):
        reset_connector(Settings(_env_file=None, connect_url="http://127.0.0.1:9"))


def test_a_proxy_of_the_environment_is_passed_by(
    connect: tuple[Settings, list[str], dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a proxy for the internet in the environment, here one that is away, the worker itself is asked."""
    settings, orders, _ = connect
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    reset_connector(settings)
    assert orders == ["PUT stop", "DELETE offsets", "PUT resume"]
