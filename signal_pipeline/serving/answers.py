"""The answers of every function: verdicts and problems, in one place.

every event durable                204
one event, failed                  its status, application/problem+json
a batch, some failed               207, naming the failed ones; all others are durable
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

import orjson
from starlette.responses import Response

from signal_pipeline.domain.failures import Failure
from signal_pipeline.errors import PipelineError
from signal_pipeline.events.http import Mode, Request
from signal_pipeline.serving.correlation import current_correlation_id

__all__ = ["failed_results", "json_response", "problem_response", "problem_response_of", "verdict_response"]

_MAX_DETAIL_BYTES: Final = 400  # keeps a problem below 1 KB, the size that Knative copies into a dead letter
_RETRY_AFTER: Final = 1  # seconds, when neither the error nor its class says how long


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


def problem_response(failure: Failure, *, retry_after_seconds: int | None = None) -> Response:
    """Return a failure as `application/problem+json` under 1 KB, and as the headers that Knative keeps.

    Args:
        failure: Why the request failed.
        retry_after_seconds: When to come back; the failure class's own when None.
    """
    error_id, correlation_id = uuid4().hex, current_correlation_id()
    problem = {
        "type": f"urn:signal-pipeline:problem:{failure.code}",
        "title": failure.code.replace("_", " "),
        "status": failure.http_status,
        "detail": _short(failure.detail),
        "class": failure.failure_class.value,
        "code": failure.code,
        "error_id": error_id,
        "correlation_id": correlation_id,
    }
    headers = {
        "Kne-Failureclass": failure.failure_class.value,
        "Kne-Errorid": error_id,
        "Kne-Correlationid": correlation_id,
    }
    if failure.http_status in {429, 503}:
        headers["Retry-After"] = str(retry_after_seconds or failure.policy.retry_after_seconds or _RETRY_AFTER)
    return Response(orjson.dumps(problem), failure.http_status, headers, media_type="application/problem+json")


def problem_response_of(error: PipelineError) -> Response:
    """Return the answer to an error that ended a request."""
    response = problem_response(error.failure, retry_after_seconds=error.retry_after_seconds)
    response.headers.update(error.headers)
    return response


def verdict_response(request: Request, verdicts: Sequence[Failure | None]) -> Response:
    """Return the answer to a request by the verdicts on its events, in the same order."""
    if not any(verdicts):
        return Response(status_code=204)
    if request.mode is not Mode.BATCH and verdicts[0] is not None:
        return problem_response(verdicts[0])
    return json_response({"results": failed_results(request, verdicts)}, 207)


def failed_results(request: Request, verdicts: Sequence[Failure | None]) -> list[dict[str, Any]]:
    """Return the entries of a 207: one for each event that failed."""
    return [
        {
            "index": index,
            "id": event.id,
            "source": event.source,
            "status": failure.http_status,
            "class": failure.failure_class.value,
            "code": failure.code,
            "detail": _short(failure.detail),
        }
        for index, (event, failure) in enumerate(zip(request.events, verdicts, strict=True))
        if failure is not None
    ]


def _short(detail: str) -> str:
    return detail.encode()[:_MAX_DETAIL_BYTES].decode(errors="ignore")
