"""What every function keeps to, served in this process and by functions-framework, while its dependencies are away."""

import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from tests.contract.client import Site
from tests.support.http import Answer

EVENT = {"specversion": "1.0", "id": "1", "source": "web", "type": "login", "data": {"session_id": "sess_12345"}}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
KEY = {"x-api-key": "dev-test-key-123"}
PATHS = {"auth": "/auth/token"}
EVENT_ROLES = ("emit", "process-signal", "detect-anomaly", "replay-dlq", "confirm-outbox")
# An event that each of the roles would write for: the first rule is broken, the id is a UUID.
EFFECTIVE: dict[str, Any] = EVENT | {
    "id": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
    "type": "anomaly_detected",
    "data": {"data": "97"},
}


@pytest.fixture(params=EVENT_ROLES)
def receiver(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    """Each function that takes events, in turn."""
    return sites(request.param)


def problem(answer: Answer, status: int) -> None:
    """Check that an answer is a problem as every function writes it."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.body) < 1024
    content = answer.json
    assert content["status"] == status
    assert answer.headers["kne-failureclass"] == content["class"]
    assert answer.headers["kne-errorid"] == content["error_id"]
    assert len(content["error_id"]) == 32
    assert answer.headers["kne-correlationid"] == content["correlation_id"] == answer.headers["x-correlation-id"]
    assert ("retry-after" in answer.headers) == (status in {429, 503})
    assert b"Traceback" not in answer.body


def test_health(site: Site) -> None:
    """A function lives as long as it answers, whatever its dependencies do, under three names."""
    for path in ("/health", "/_/health", "/health/liveness"):
        answer = site.get(path)
        assert (answer.status, answer.json) == (200, {"status": "ok", "role": site.role})


def test_ready(site: Site) -> None:
    """While a dependency cannot be reached the function is not ready, and says which one and when to ask again."""
    needed = {"emit": {"kafka"}, "replay-dlq": {"kafka", "postgres"}}.get(site.role, {"postgres"})
    for path in ("/ready", "/_/ready", "/health/readiness"):
        answer = site.get(path)
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) >= 1
        content = answer.json
        assert (content["status"], content["role"]) == ("not ready", site.role)
        assert {name for name, state in content["checks"].items() if state != "ok"} == needed


def test_metrics(site: Site) -> None:
    """The metrics page is on its own port and counts requests by known routes only."""
    site.get("/health")
    site.get("/a-stranger-made-this-up")
    answer = site.call("GET", "/metrics", port=site.metrics_port)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.body.decode()
    assert 'http_requests_total{route="/health",status="2xx"}' in text
    assert 'http_requests_total{route="other",status="4xx"}' in text
    assert "stranger" not in text
    assert site.call("GET", "/secrets", port=site.metrics_port).status == 404
    assert "python" not in str(answer.headers).lower()


def test_unknown_addresses(site: Site) -> None:
    """What does not exist is answered 404, and never by a redirect."""
    for path in ("/nothing", "/health/", "//health", "/emit/../health", "/docs", "/openapi.yaml"):
        problem(site.get(path), 404)


def test_wrong_methods(site: Site) -> None:
    """A known address under another method is answered 405 with the methods that it takes."""
    for method, path, allowed in [
        ("GET", PATHS.get(site.role, "/"), {"POST"}),
        ("DELETE", PATHS.get(site.role, "/"), {"POST"}),
        ("POST", "/health", {"GET", "HEAD"}),
        ("PUT", "/ready", {"GET", "HEAD"}),
    ]:
        answer = site.call(method, path)
        problem(answer, 405)
        assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize("content_type", ["text/xml", "text/plain; charset=utf-16", None])
def test_other_content(site: Site, content_type: str | None) -> None:
    """A body that is no event, and no other form that the function takes, is answered 415."""
    headers = KEY | ({"content-type": content_type} if content_type else {})
    problem(site.post(PATHS.get(site.role, "/"), headers, b"<xml/>"), 415)


def test_compressed_bodies(receiver: Site) -> None:
    """A compressed body is answered 415: nothing is unpacked."""
    problem(receiver.post("/", KEY | BATCH | {"content-encoding": "gzip"}, b"\x1f\x8b"), 415)


def test_a_body_over_the_limit_by_its_length(site: Site) -> None:
    """A body that announces more than 4 MiB is answered 413, without being read."""
    headers = KEY | BATCH | {"content-length": str(1 << 30)}
    if site.role == "auth":
        headers |= {"content-type": "application/json"}
    problem(site.post(PATHS.get(site.role, "/"), headers, b"x"), 413)


def test_a_body_over_the_limit_in_parts(site: Site) -> None:
    """A body of unknown length is answered 413 as soon as it passes 4 MiB."""

    def parts() -> Iterator[bytes]:
        for _ in range(1000):  # 62 MiB if nobody stopped it
            yield b" " * 65_536

    headers = KEY | (BATCH if site.role != "auth" else {"content-type": "application/json"})
    problem(site.post(PATHS.get(site.role, "/"), headers, parts()), 413)


@pytest.mark.parametrize("given", ["abc-DEF_1.2:3", "x" * 64])
def test_the_callers_correlation_id_comes_back(site: Site, given: str) -> None:
    """A sound correlation id is taken over, in answers of every kind."""
    for path in ("/health", "/nothing"):
        assert site.get(path, {"x-correlation-id": given}).headers["x-correlation-id"] == given


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ce-correlationid": "a", "x-correlation-id": "b"}, "a"),
        ({"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}, "ab" * 16),
        ({"ce-traceparent": f"00-{'ef' * 16}-{'cd' * 8}-01", "traceparent": "x"}, "ef" * 16),
    ],
)
def test_the_events_own_context_is_taken(site: Site, headers: dict[str, str], expected: str) -> None:
    """The event's correlation id comes first, and without one the id of its trace stands in."""
    assert site.get("/health", headers).headers["x-correlation-id"] == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-correlation-id": ""},
        {"x-correlation-id": "x" * 65},
        {"x-correlation-id": "a b"},
        {"x-correlation-id": "${jndi:ldap://x}"},
        {"traceparent": "garbage"},
        {"traceparent": f"00-{'0' * 32}-{'cd' * 8}-01", "tracestate": "x" * 8000},
    ],
)
def test_otherwise_one_is_made(site: Site, headers: dict[str, str]) -> None:
    """An unsound or missing id is replaced by a new one, and the request is served."""
    answers = [site.get("/health", headers) for _ in range(2)]
    made = [answer.headers["x-correlation-id"] for answer in answers]
    assert [answer.status for answer in answers] == [200, 200]
    assert [len(text) for text in made] == [32, 32]
    assert made[0] != made[1]


def test_events_while_a_dependency_is_away(sites: Callable[[str], Site]) -> None:
    """Nothing can be durable, so the answer is 503 with a time to come back, never a success, in either mode."""
    roles = [sites(role) for role in EVENT_ROLES if role != "replay-dlq"]  # which needs a dead letter to write for
    requests = [(STRUCTURED, EFFECTIVE), (BATCH, [EFFECTIVE, EFFECTIVE | {"id": "8" + EFFECTIVE["id"][1:]}])]

    def send(call: tuple[Site, tuple[dict[str, str], Any]]) -> Answer:
        site, (headers, event) = call
        return site.post("/", KEY | headers, json.dumps(event).encode())

    with ThreadPoolExecutor(len(roles) * 2) as pool:  # each waits for its dependency as long as it may
        for answer in pool.map(send, product(roles, requests)):
            problem(answer, 503)


def test_an_invalid_event_needs_no_dependency(receiver: Site) -> None:
    """What can never work is told at once; detect-anomaly leaves it to process-signal and answers success."""
    answer = receiver.post("/", KEY | STRUCTURED, b'{"specversion":"1.0"}')
    if receiver.role == "detect-anomaly":
        assert answer.status == 204
    else:
        problem(answer, 400)
        assert answer.json["detail"].startswith("id: ")


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "X-Folded: a\r\n b",
    ],
)
def test_ambiguous_requests_are_refused(site: Site, headers: str) -> None:
    """What two readers could take for different requests is answered 400, and the connection is closed."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(f"POST /health HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
