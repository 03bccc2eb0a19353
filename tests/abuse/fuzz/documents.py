"""Requests that schemathesis derives from the OpenAPI documents, and answers compared with what the documents promise.

Each document names every status by itself here: its `default` is left out, as it would allow any.
"""

import asyncio
import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
import schemathesis
import urllib3
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies
from hypothesis.errors import Unsatisfiable
from requests.adapters import HTTPAdapter
from schemathesis import checks
from schemathesis.generation import GenerationMode
from starlette.types import ASGIApp

from tests.abuse.fuzz.requests import CONTRACTS, HASHED, LEFT_OUT
from tests.abuse.fuzz.run import Report, Security, applications, credentials, memory_mib, places
from tests.support.asgi import call

__all__ = ["compare"]

_CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_HASHED_EXAMPLES = 10  # a password's hash takes as long as a hundred other requests


class _Adapter(HTTPAdapter):
    """Carries the requests of a session to an application, and counts them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, app: ASGIApp, report: Report) -> None:
        super().__init__()
        self._loop, self._app, self._report = loop, app, report

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Return the application's answer."""
        headers = [(name.lower(), _text(value)) for name, value in request.headers.items()]
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        answer = self._loop.run_until_complete(call(self._app, str(request.method), request.path_url, headers, raw))
        self._report.sent += 1
        self._report.statuses[answer.status] += 1
        found = urllib3.HTTPResponse(
            io.BytesIO(answer.body), answer.headers, answer.status, version=11, preload_content=False
        )
        return self.build_response(request, found)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value.encode().decode("latin-1")


def _without_default(document: dict[str, Any]) -> dict[str, Any]:
    paths = {
        path: {method: {**operation, "responses": _named(operation["responses"])} for method, operation in item.items()}
        for path, item in document["paths"].items()
        if path not in LEFT_OUT
    }
    return {**document, "paths": paths}


def _named(responses: dict[str, Any]) -> dict[str, Any]:
    return {status: response for status, response in responses.items() if status != "default"}


def _experiment(
    operation: Any, mode: GenerationMode, session: requests.Session, kinds: Sequence[dict[str, str]]
) -> Callable[[], None]:
    """Return the property: whatever is asked, by whomever, the answer is as documented."""

    @given(case=operation.as_strategy(generation_mode=mode), kind=strategies.sampled_from([*kinds, {}]))
    def holds(case: Any, kind: dict[str, str]) -> None:
        answer = case.call(base_url="http://role", session=session, headers=kind)
        case.validate_response(answer, checks=_CHECKS)

    return holds  # type: ignore[no-any-return]


def _operations(role: str) -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(_without_default(CONTRACTS[role].document))
    return (result.ok() for result in schema.get_all_operations())


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.close()


def _explore(
    role: str, session: requests.Session, kinds: Sequence[dict[str, str]], number: int, examples: int
) -> list[str]:
    faults = []
    for operation in _operations(role):
        bound = min(examples, _HASHED_EXAMPLES) if operation.path in HASHED else examples
        for mode in _MODES:
            limits = settings(
                max_examples=bound,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            try:
                seed(number)(limits(_experiment(operation, mode, session, kinds)))()
            except Unsatisfiable:
                continue  # nothing can be wrong about a request without parameters and body
            except (Exception, BaseExceptionGroup) as exc:  # noqa: BLE001 - each is a finding, and the others are to be found too
                faults.append(f"{role} {operation.label} {mode}: {exc}")
    return faults


def compare(number: int, examples: int, *, security: Security, roles: Sequence[str] = tuple(CONTRACTS)) -> Report:
    """Send requests of every operation and compare the answers with its document.

    Args:
        number: Seed; the same one makes the same requests.
        examples: Most requests of an operation with data that fits its document, and as many with data that does not.
        security: Whether credentials are asked for everywhere.
        roles: Whose documents.
    """
    report, started = Report(), time.monotonic()
    with places(security) as found, _loop() as loop:
        apps = applications(found)
        for index, role in enumerate(roles):
            before = report.sent
            session = requests.Session()
            session.mount("http://", _Adapter(loop, apps[role], report))
            report.faults += _explore(role, session, credentials(found), number, examples)
            report.roles[role] = report.sent - before
            if index == len(roles) // 2:
                report.middle_mib = memory_mib()
        for app in apps.values():
            loop.run_until_complete(app.close())
    report.end_mib, report.seconds = memory_mib(), time.monotonic() - started
    return report
