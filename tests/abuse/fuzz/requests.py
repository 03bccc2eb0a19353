"""Requests of every operation that the OpenAPI documents name, changed in some place."""

import json
import random
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.topology import ROLES
from tests.abuse.fuzz.nasty import header_value, mutated, path_part
from tests.support.openapi import Contract

__all__ = ["CONTRACTS", "HASHED", "LEFT_OUT", "Attempt", "attempt"]

CONTRACTS = {role.name: Contract(json.loads(openapi_document(role.name))) for role in ROLES}
# What a schedule asks for: it empties tables, or needs a broker that keeps groups.
LEFT_OUT = {"/purge", "/tick", "/stats", "/ready", "/_/ready", "/health/readiness"}
_STRUCTURED, _BATCH, _JSON = "application/cloudevents+json", "application/cloudevents-batch+json", "application/json"
HASHED = {"/auth/token"}  # costs a password hash: asked once in a while
_EXTRA = ("traceparent", "x-correlation-id", "ce-x", "ce-data", "content-encoding")
_FOLDED = re.compile("{[^}]*}")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request.

    Attributes:
        role: Whom it goes to.
        operation: Method and path as documented; None for another method.
        method: Method.
        path: Address with its query.
        headers: Names in lower case.
        body: Body.
    """

    role: str
    operation: tuple[str, str] | None
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def _event(rng: random.Random) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(UUID(int=rng.getrandbits(128))),
        "source": "fuzz",
        "type": rng.choice(("click", "anomaly_detected")),
        "subject": "user_1",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": _JSON,
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
        "data": {"session_id": "sess_1", "data": str(rng.randrange(100)), "list": [1, 2.5, {"a": None}]},
    }


def _body(rng: random.Random, path: str) -> tuple[dict[str, str], bytes]:
    """Return headers and a body that the operation would take."""
    if path in {"/", "/emit"}:
        return _events(rng)
    wanted: dict[str, Any] = {
        "/auth/token": {"username": "admin", "password": "x"},
        "/auth/refresh": {"refresh_token": "x.y.z"},
        "/auth/verify": {"token": "x.y.z"},
        "/auth/revoke": {"token": "x.y.z"},
        "/replay": {"filter": {"class": "rejected", "since": "2026-01-01T00:00:00Z"}, "limit": 5, "rate": 10},
    }
    return {"content-type": _JSON, "idempotency-key": "fuzz"}, json.dumps(wanted.get(path, {})).encode()


def _events(rng: random.Random) -> tuple[dict[str, str], bytes]:
    form = rng.randrange(5)
    event = _event(rng)
    if form == 0:
        return {"content-type": _JSON}, b'{"count":2}'
    if form == 1:
        data = json.dumps(event.pop("data")).encode()
        named = {f"ce-{name}": value for name, value in event.items() if name != "datacontenttype"}
        return {"content-type": _JSON, **named}, data
    if form == 2:
        return {"content-type": _STRUCTURED}, json.dumps(event).encode()
    return {"content-type": _BATCH}, json.dumps([event, *(_event(rng) for _ in range(rng.randrange(4)))]).encode()


def _operations() -> list[tuple[str, tuple[str, str], dict[str, Any]]]:
    return [
        (role, operation, described)
        for role, contract in CONTRACTS.items()
        for operation, described in contract.operations().items()
        if operation[1] not in LEFT_OUT
    ]


_OPERATIONS = _operations()
# Where bodies are read there is most to find; a password's hash takes as long as a hundred other requests.
_WEIGHTS = [
    0.02 if path in HASHED else 8 if path in {"/", "/emit"} else 2 if method == "POST" else 0.5
    for _, (method, path), _ in _OPERATIONS
]


def attempt(seed: int, number: int, credentials: dict[str, str]) -> Attempt:
    """Return the request with a number: the same for the same seed."""
    rng = random.Random(f"{seed}:{number}")  # noqa: S311 - repeatable on purpose
    ((role, operation, described),) = rng.choices(_OPERATIONS, _WEIGHTS)
    method, path = operation
    headers, body = _body(rng, path) if method == "POST" else ({}, b"")
    headers |= credentials if rng.random() < 0.95 else {}
    if headers and rng.random() < 0.3:
        name = rng.choice(list(headers))
        headers[name] = header_value(rng, headers[name])
    if rng.random() < 0.1:
        headers[rng.choice(_EXTRA)] = header_value(rng, "a")
    address = _FOLDED.sub(lambda _: path_part(rng), path) + _query(rng, described)
    other = rng.random() < 0.02
    return Attempt(
        role=role,
        operation=None if other else operation,
        method=rng.choice(("PUT", "DELETE", "PATCH", "TRACE", "X")) if other else method,
        path=address,
        headers=tuple(headers.items()),
        body=mutated(rng, body) if body else body,
    )


def _query(rng: random.Random, described: dict[str, Any]) -> str:
    names = [each["name"] for each in described.get("parameters", ()) if each.get("in") == "query"]
    chosen = [name for name in names if rng.random() < 0.3]
    return "?" * bool(chosen) + "&".join(f"{name}={path_part(rng)}" for name in chosen)
