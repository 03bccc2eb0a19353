"""The errors of the product.

PipelineError                     an error with a failure class and an HTTP status
├── InvalidEvent                  400  invalid     the event can never work
│   ├── PayloadTooLarge           413  invalid
│   └── UnsupportedContent        415  invalid
├── Unauthenticated               401  endpoint
├── Forbidden                     403  endpoint
├── NotFound                      404  endpoint
├── MethodNotAllowed              405  endpoint
├── Conflict                      409  rejected    what is asked does not fit what is there
├── DependencyUnavailable         503  dependency  Kafka, PostgreSQL or Redis cannot be reached
├── Overloaded                    429  overload
└── ConfigurationError            500  unexpected  a setting or manifest is wrong; stops the start
"""

from typing import ClassVar

from signal_pipeline.domain.failures import Failure, FailureClass

__all__ = [
    "ConfigurationError",
    "Conflict",
    "DependencyUnavailable",
    "Forbidden",
    "InvalidEvent",
    "MethodNotAllowed",
    "NotFound",
    "Overloaded",
    "PayloadTooLarge",
    "PipelineError",
    "Unauthenticated",
    "UnsupportedContent",
]


class PipelineError(Exception):
    """An error that knows how it is answered.

    Args:
        detail: One sentence for a person, without payload, SQL or secrets.
        code: Short stable name of the cause; the class's own when not given.
        retry_after_seconds: The Retry-After to send; the failure class's own when not given.
    """

    failure_class: ClassVar[FailureClass] = FailureClass.UNEXPECTED
    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, code: str | None = None, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.failure = Failure(
            failure_class=self.failure_class, code=code or self.default_code, detail=detail, status=self.status
        )
        self.retry_after_seconds = retry_after_seconds or self.failure.policy.retry_after_seconds
        self.headers: dict[str, str] = {}


class InvalidEvent(PipelineError):
    """The event can never work: malformed, over a limit, or not storable."""

    failure_class = FailureClass.INVALID
    status = 400
    default_code = "invalid_event"


class PayloadTooLarge(InvalidEvent):
    """The body is over its limit."""

    status = 413
    default_code = "payload_too_large"


class UnsupportedContent(InvalidEvent):
    """The content type or encoding is not one that this function takes."""

    status = 415
    default_code = "unsupported_content"


class Unauthenticated(PipelineError):
    """No credential, or one that is not valid."""

    failure_class = FailureClass.ENDPOINT
    status = 401
    default_code = "unauthenticated"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.headers["WWW-Authenticate"] = 'Bearer realm="signal-pipeline"'


class Forbidden(PipelineError):
    """A valid credential without the scope that is needed."""

    failure_class = FailureClass.ENDPOINT
    status = 403
    default_code = "forbidden"


class NotFound(PipelineError):
    """Nothing lives at this address."""

    failure_class = FailureClass.ENDPOINT
    status = 404
    default_code = "not_found"


class MethodNotAllowed(PipelineError):
    """The address exists, under other methods."""

    failure_class = FailureClass.ENDPOINT
    status = 405
    default_code = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this address takes {allowed}")
        self.headers["Allow"] = allowed


class Conflict(PipelineError):
    """What is asked for does not fit what is there now; another question may. Never the answer to an event."""

    failure_class = FailureClass.REJECTED
    status = 409
    default_code = "conflict"


class DependencyUnavailable(PipelineError):
    """Kafka, PostgreSQL or Redis cannot be reached now."""

    failure_class = FailureClass.DEPENDENCY
    status = 503
    default_code = "dependency_unavailable"


class Overloaded(PipelineError):
    """A limit is reached; the same call works later."""

    failure_class = FailureClass.OVERLOAD
    status = 429
    default_code = "overloaded"


class ConfigurationError(PipelineError):
    """A setting, manifest or file of the installation is wrong."""

    default_code = "configuration_error"
