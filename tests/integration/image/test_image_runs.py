"""The image as platforms run it: its own environment and user, a root that cannot be written to, ROLE and PORT."""

import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from signal_pipeline.topology import ROLES
from tests.contract.client import Site, free_port
from tests.contract.conftest import wait_for
from tests.integration.image.conftest import Start
from tests.support import waiting

LIVE = ("/health", "/_/health", "/health/liveness")
READY = ("/ready", "/_/ready", "/health/readiness")
ENDED = {0, -signal.SIGTERM}  # a server that drained says by which signal it was asked to


def serve(start: Start, role: str) -> tuple[Site, subprocess.Popen[bytes]]:
    """Start a role by environment alone."""
    site = Site(role=role, port=free_port(), metrics_port=free_port())
    metrics = f"{role.replace('-', '_').upper()}_METRICS_PORT"
    return site, start(ROLE=role, PORT=str(site.port), **{metrics: str(site.metrics_port)})


def run(start: Start, *arguments: str) -> None:
    """Run a task of the image to its end."""
    assert start(*arguments).wait(60) == 0


def post_signal(site: Site, identity: str) -> int:
    """Send an event in binary mode and return the status."""
    headers = {
        "ce-specversion": "1.0", "ce-id": identity, "ce-source": "image", "ce-type": "click", "ce-subject": "user_1",
        "ce-time": "2026-01-02T03:04:05Z", "content-type": "application/json",
    }  # fmt: skip
    return site.post("/", headers, json.dumps({"session_id": "sess_12345", "data": "sample_data_50"}).encode()).status


def stored(settings: dict[str, str]) -> int:
    """Return the number of signals."""
    with psycopg.connect(settings["DATABASE_URL"], autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM signals").fetchone()
    assert found is not None
    return int(found[0])


def until_ready(site: Site) -> None:
    """Wait until the function has what it depends on."""
    waiting.wait_for(lambda: site.get("/ready").status == 200, seconds=30, what=f"readiness of {site.role}")


def test_tasks_functions_and_a_trigger(start: Start, settings: dict[str, str]) -> None:
    """The one image is all of it: the schema, the topics, six functions that are ready on any port, and a trigger.

    An event that the image's emit publishes, its trigger delivers to its process-signal, which stores it.
    """
    run(start, "migrate")
    run(start, "topics")
    parts = {role.name: serve(start, role.name) for role in ROLES}
    for site, _ in parts.values():
        wait_for(site)
        for path in LIVE:
            assert site.get(path).json == {"status": "ok", "role": site.role}
        until_ready(site)
        assert [site.get(path).status for path in READY] == [200, 200, 200]
        page = site.get("/metrics")
        assert (page.status, site.call("GET", "/metrics", port=site.metrics_port).status) == (200, 200)
    trigger = start(
        "trigger", "process-signal",
        FUNCTION_URL_PROCESS_SIGNAL=f"http://127.0.0.1:{parts['process-signal'][0].port}",
        PROCESS_SIGNAL_TRIGGER_PORT=str(free_port()),
    )  # fmt: skip
    sent = parts["emit"][0].post(
        "/emit", {"X-API-Key": "dev-test-key-123", "content-type": "application/json"}, b'{"count": 7}'
    )
    assert sent.status == 202
    waiting.wait_for(lambda: stored(settings) == 7, seconds=60, what="storing")
    trigger.terminate()
    assert trigger.wait(35) == 0
    for _, process in parts.values():
        process.terminate()
    assert {process.wait(35) for _, process in parts.values()} <= ENDED


def test_no_request_in_flight_is_cut(start: Start, settings: dict[str, str]) -> None:
    """SIGTERM under load: what was begun is answered and stored, what comes later is refused, then the process ends."""
    run(start, "migrate")
    site, process = serve(start, "process-signal")
    wait_for(site)
    with psycopg.connect(settings["DATABASE_URL"]) as held, ThreadPoolExecutor(8) as clients:
        held.execute("LOCK TABLE signals IN EXCLUSIVE MODE")
        answers = [clients.submit(post_signal, site, f"in-flight-{number}") for number in range(8)]
        waiting.wait_for(lambda: in_flight(site) == 8, seconds=20, what="taking eight requests")
        process.terminate()
        waiting.wait_for(lambda: refuses(site), seconds=20, what="refusing connections")
        assert not any(answer.done() for answer in answers)
        held.rollback()
        assert {answer.result() for answer in answers} <= {200, 202, 204}
    assert process.wait(35) in ENDED
    assert stored(settings) == 8


def in_flight(site: Site) -> int:
    """Return how many requests the function is answering, from its metrics page."""
    page = site.call("GET", "/metrics", port=site.metrics_port).body.decode()
    (line,) = [line for line in page.splitlines() if line.startswith("http_requests_in_flight ")]
    return int(float(line.split()[1]))


def refuses(site: Site) -> bool:
    """Tell whether a new connection is refused."""
    try:
        site.get("/health")
    except ConnectionError:
        return True
    return False


def test_without_a_role_it_says_what_is_missing(start: Start, tmp_path: Path) -> None:
    """An image that is started as it is ends at once, and names the variable."""
    assert start().wait(30) == 2
    assert "ROLE" in (tmp_path / "part-0" / "log").read_text()
