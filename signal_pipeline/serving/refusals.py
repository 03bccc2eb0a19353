"""What the server answers to a client before there is a request that a function could see."""

from contextvars import copy_context
from http import HTTPStatus

from signal_pipeline.domain.failures import Failure
from signal_pipeline.serving.answers import problem_response
from signal_pipeline.serving.correlation import bind_request
from signal_pipeline.serving.headers import SAFE_HEADERS

__all__ = ["rendered"]


def rendered(failure: Failure) -> bytes:
    """Return a failure as a whole HTTP/1.1 answer, after which the connection closes."""
    # In a context of its own: this is no request, and must not leave its id to the next one.
    return copy_context().run(_rendered, failure)


def _rendered(failure: Failure) -> bytes:
    correlation_id = bind_request({})
    response = problem_response(failure)
    response.headers.update({"X-Correlation-Id": correlation_id, "Connection": "close"})
    status = f"HTTP/1.1 {failure.http_status} {HTTPStatus(failure.http_status).phrase}".encode()
    lines = [status, *(b": ".join(pair) for pair in (*response.raw_headers, *SAFE_HEADERS))]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
