"""Applying the connector to a REST interface that behaves as Kafka Connect's."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from signal_pipeline.broker.connector import CONNECTOR_NAME, apply_connector, connector_configuration, connector_states
from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.settings import Settings

PATH = f"/connectors/{CONNECTOR_NAME}"


class Connect:
    """The state of a worker: the applied configuration, and the states that its task goes through."""

    def __init__(self) -> None:
        self.config: dict[str, str] | None = None
        self.task_states = ["RUNNING"]
        self.refusal: int | None = None
        self.requests: list[str] = []

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Answer one request."""
        self.requests.append(f"{method} {path.removeprefix(PATH)}")
        if path == f"{PATH}/config" and method == "PUT":
            if self.refusal:
                return self.refusal, {"message": "no such class"}
            self.config = body | {"name": CONNECTOR_NAME}
            return 201, {}
        if self.config is None:
            return 404, {"message": "not found"}
        if path == f"{PATH}/config":
            return 200, self.config
        if path.startswith(f"{PATH}/restart"):
            self.task_states = ["RUNNING"]
            return 202, {}
        state = self.task_states[0] if len(self.task_states) == 1 else self.task_states.pop(0)
        return 200, {"connector": {"state": "RUNNING"}, "tasks": [] if state == "NONE" else [{"state": state}]}


@pytest.fixture
def connect() -> Connect:
    """A worker without a connector."""
    return Connect()


@pytest.fixture
def settings(connect: Connect) -> Iterator[Settings]:
    """Settings that point at the worker's REST interface."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = connect.answer(self.command, self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_PUT = do_POST = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Settings(
        _env_file=None,
        connect_url=f"http://127.0.0.1:{server.server_port}",
        database_url=SecretStr("postgresql://cdc:p%40ss%22w%24rd@db.example:5433/events"),
        outbox_poll_interval_ms=15,
    )
    server.shutdown()
    server.server_close()


def test_the_template_is_filled_from_the_settings(settings: Settings) -> None:
    """Address, credentials and poll interval come from the settings, whatever characters they have."""
    configuration = connector_configuration(settings)
    assert {name: configuration[f"database.{name}"] for name in ("hostname", "port", "dbname", "user", "password")} == {
        "hostname": "db.example",
        "port": "5433",
        "dbname": "events",
        "user": "cdc",
        "password": 'p@ss"w$rd',
    }
    assert configuration["poll.interval.ms"] == "15"
    assert not [value for value in configuration.values() if "${" in value]


def test_a_missing_connector_is_created(settings: Settings, connect: Connect) -> None:
    """Nothing there: the configuration is put and the task is waited for."""
    connect.task_states = ["NONE", "UNASSIGNED", "RUNNING"]
    apply_connector(settings)
    assert connect.config == connector_configuration(settings) | {"name": CONNECTOR_NAME}
    assert connect.requests == ["GET /config", "PUT /config", *["GET /status"] * 3]


def test_the_same_configuration_is_not_put_again(settings: Settings, connect: Connect) -> None:
    """Putting restarts the task, so a second run only looks."""
    connect.config = connector_configuration(settings) | {"name": CONNECTOR_NAME}
    apply_connector(settings)
    assert connect.requests == ["GET /config", "GET /status"]


def test_a_different_configuration_is_replaced(settings: Settings, connect: Connect) -> None:
    """A configuration that differs in one value is put again."""
    connect.config = connector_configuration(settings) | {"name": CONNECTOR_NAME, "poll.interval.ms": "500"}
    apply_connector(settings)
    assert connect.config["poll.interval.ms"] == "15"


def test_a_failed_task_is_restarted(settings: Settings, connect: Connect) -> None:
    """A task that failed, such as after the database was away, is restarted once and then runs."""
    connect.config = connector_configuration(settings) | {"name": CONNECTOR_NAME}
    connect.task_states = ["FAILED"]
    apply_connector(settings)
    assert connect.requests.count("POST /restart?includeTasks=true&onlyFailed=true") == 1


def test_a_task_that_never_runs_is_reported(settings: Settings, connect: Connect) -> None:
    """After the bound the error tells the states and where to look."""
    connect.task_states = ["UNASSIGNED"]
    with pytest.raises(DependencyUnavailable, match=r"RUNNING, UNASSIGNED.*/status"):
        apply_connector(settings, timeout_seconds=0.5)


def test_a_refused_configuration_is_not_tried_again(settings: Settings, connect: Connect) -> None:
    """A configuration that Connect calls wrong is an error of the installation, with Connect's reason."""
    connect.refusal = 400
    with pytest.raises(ConfigurationError, match="no such class"):
        apply_connector(settings)
    assert connect.requests == ["GET /config", "PUT /config"]


def test_a_rebalancing_worker_is_asked_again(settings: Settings, connect: Connect) -> None:
    """409 and 503 mean a moment later: the run goes on until its bound."""
    connect.refusal = 409
    with pytest.raises(DependencyUnavailable, match="CONNECT_URL"):
        apply_connector(settings, timeout_seconds=0.6)
    assert connect.requests.count("PUT /config") > 1


def test_a_worker_that_is_not_there_is_named() -> None:
    """Nobody listening: the error names the setting."""
    settings = Settings(_env_file=None, connect_url="http://127.0.0.1:1")
    with pytest.raises(DependencyUnavailable, match="CONNECT_URL"):
        apply_connector(settings, timeout_seconds=0.3)


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [(["RUNNING"], ["RUNNING", "RUNNING"]), (["FAILED"], ["RUNNING", "FAILED"]), (["NONE"], ["RUNNING"])],
)
def test_the_states_of_connector_and_task_are_told(
    settings: Settings, connect: Connect, tasks: list[str], expected: list[str]
) -> None:
    """The first state is the connector's, the others are its tasks'; a connector may run without any task."""
    connect.config = {}
    connect.task_states = tasks
    assert connector_states(settings) == expected


def test_a_connector_that_does_not_exist_has_no_states(settings: Settings) -> None:
    """A missing connector is no fault of Connect's."""
    assert connector_states(settings) == []


def test_a_silent_connect_tells_no_states(settings: Settings) -> None:
    """Without Connect nothing is known of the connector."""
    with pytest.raises(DependencyUnavailable, match="CONNECT_URL"):
        connector_states(settings.model_copy(update={"connect_url": "http://127.0.0.1:1"}))
