"""Applies the Debezium connector that publishes the outbox, and waits until it runs.

    template ──fill──▶ configuration ──same as applied──▶ wait until RUNNING
                            └─ missing or different ──PUT──▶ wait until RUNNING ──task FAILED──▶ restart it, wait on

Why the template says what it says:
- The slot and the publication are created by migrations; Debezium creates neither.
- `snapshot.mode=initial` sends, when the connector starts for the first time, the rows that nobody has confirmed: rows
  older than the slot are not lost. Rows that the slot holds too are sent twice, with the same ce_id.
- `ce_specversion` comes from a column, because InsertHeader would write the number 1.
- The heartbeat writes a row of its own: without changes in this database the slot would retain all other log.
- Delivery is at least once; consumers dedupe by ce_id.
"""

import json
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from string import Template
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.resources import SQL
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["CONNECTOR_NAME", "apply_connector", "connector_configuration", "connector_differences", "connector_states"]

CONNECTOR_NAME: Final = "outbox-connector"

_TEMPLATE: Final = SQL / "debezium" / "outbox-connector.json"
_PATH: Final = f"/connectors/{CONNECTOR_NAME}"
_REQUEST_SECONDS: Final = 10
_LOOK_SECONDS: Final = 2  # Connect answers from memory
_POLL_SECONDS: Final = 0.25
_RESTART_SECONDS: Final = 5  # a task needs some seconds to fail or to run; restarting it more often would stop it
_OK: Final = 300
_NOT_FOUND: Final = 404
_BAD_REQUEST: Final = 400


def apply_connector(settings: Settings, *, timeout_seconds: float = 60) -> None:
    """Bring the connector into the state that the template describes; a second run changes nothing.

    Raises:
        ConfigurationError: Connect refuses the configuration.
        DependencyUnavailable: connector and task do not run in time.
    """
    deadline = time.monotonic() + timeout_seconds
    configuration = connector_configuration(settings)
    if _ask(settings, deadline, "GET", f"{_PATH}/config") != configuration | {"name": CONNECTOR_NAME}:
        _ask(settings, deadline, "PUT", f"{_PATH}/config", configuration)
    _wait_until_running(settings, deadline)


def connector_states(settings: Settings) -> list[str]:
    """Return the state of the connector and of each of its tasks, such as RUNNING; none where it does not exist.

    Raises:
        DependencyUnavailable: Connect does not answer, or not yet.
    """
    try:
        status, answer = _request(settings, "GET", f"{_PATH}/status", None, wait_seconds=_LOOK_SECONDS)
    except (OSError, HTTPException) as exc:
        raise _unreachable(settings) from exc
    if status >= _OK and status != _NOT_FOUND:
        raise _unreachable(settings)
    return [] if status == _NOT_FOUND else _states(answer)


def connector_differences(settings: Settings) -> list[str]:
    """Return the names of the settings in which the connector differs from the template; raises as `connector_states`.

    A connector that does not exist differs in all of them.
    """
    try:
        status, answer = _request(settings, "GET", f"{_PATH}/config", None, wait_seconds=_LOOK_SECONDS)
    except (OSError, HTTPException) as exc:
        raise _unreachable(settings) from exc
    if status >= _OK and status != _NOT_FOUND:
        raise _unreachable(settings)
    found = {} if status == _NOT_FOUND else answer
    wanted = connector_configuration(settings) | {"name": CONNECTOR_NAME}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def connector_configuration(settings: Settings) -> dict[str, str]:
    """Fill the template; a DATABASE_URL without one of its parts gets PostgreSQL's default for it."""
    url = urlsplit(settings.database_url.get_secret_value())
    user, password = unquote(url.username or "postgres"), unquote(url.password or "")
    if file := settings.connector_secrets_file:
        # Connect resolves these where it runs, and shows them as they stand here.
        user, password = f"${{file:{file}:user}}", f"${{file:{file}:password}}"
    values = {
        "host": url.hostname or "127.0.0.1",
        "port": str(url.port or 5432),
        "database": unquote(url.path.lstrip("/")),
        "user": user,
        "password": password,
        "poll_interval_ms": str(settings.outbox_poll_interval_ms),
    }
    template: dict[str, str] = json.loads(_TEMPLATE.read_text())
    # Filled after parsing, so that no character of a password can change the JSON.
    filled = {name: Template(text).substitute(values) for name, text in template.items()}
    options = parse_qs(url.query)
    return filled | {f"database.{name}": options[name][0] for name in ("sslmode", "sslrootcert") if name in options}


def _wait_until_running(settings: Settings, deadline: float) -> None:
    restarted_at = float("-inf")
    while True:
        states = _states(_ask(settings, deadline, "GET", f"{_PATH}/status"))
        if len(states) > 1 and set(states) == {"RUNNING"}:
            return
        now = time.monotonic()
        if now >= deadline:
            shown = ", ".join(states) or "unknown"
            raise DependencyUnavailable(f"{CONNECTOR_NAME} is {shown}; {settings.connect_url}{_PATH}/status says why")
        if "FAILED" in states and now - restarted_at >= _RESTART_SECONDS:
            _ask(settings, deadline, "POST", f"{_PATH}/restart?includeTasks=true&onlyFailed=true")
            restarted_at = now
        time.sleep(_POLL_SECONDS)


def _states(status: Any) -> list[str]:
    """Return the state of the connector and of each of its tasks; nothing while Connect does not know it yet."""
    return [status["connector"]["state"], *(task["state"] for task in status["tasks"])] if status else []


def _ask(settings: Settings, deadline: float, method: str, path: str, body: Any = None) -> Any:
    """Return the JSON answer, None for 404; try again while Connect starts or rebalances, until the deadline."""
    while True:
        try:
            status, answer = _request(settings, method, path, body)
        except (OSError, HTTPException) as exc:
            cause: Exception | None = exc
        else:
            cause = None
            if status == _NOT_FOUND:
                return None
            if status < _OK:
                return answer
            if status == _BAD_REQUEST:
                raise ConfigurationError(f"Kafka Connect refuses {CONNECTOR_NAME}: {answer.get('message', '')}")
        if time.monotonic() >= deadline:
            raise _unreachable(settings) from cause
        time.sleep(_POLL_SECONDS)


def _unreachable(settings: Settings) -> DependencyUnavailable:
    return DependencyUnavailable(f"Kafka Connect does not serve {settings.connect_url}; see CONNECT_URL")


def _request(
    settings: Settings, method: str, path: str, body: Any, *, wait_seconds: float = _REQUEST_SECONDS
) -> tuple[int, Any]:
    url = urlsplit(settings.connect_url)
    host = url.hostname or "127.0.0.1"
    if url.scheme == "https":
        context = client_context(settings)
        connection: HTTPConnection = HTTPSConnection(host, url.port, timeout=wait_seconds, context=context)
    else:
        connection = HTTPConnection(host, url.port, timeout=wait_seconds)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, url.path + path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else {}
    except json.JSONDecodeError as exc:
        raise HTTPException(f"{method} {path} was not answered by JSON") from exc
    finally:
        connection.close()
