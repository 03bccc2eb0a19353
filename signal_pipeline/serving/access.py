"""Lets a request in, before its body is read: who calls, whether it may, and whether it comes too often.

request ──▶ rule of the route ──▶ credential ──▶ rate limits ──▶ scope ──▶ body
                │ open, or security is off   │ 401, 503   │ 429, 413, 503 │ 403
                └────────────────────────────┴▶ anonymous (an open route is limited by address)
"""

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from signal_pipeline.errors import Overloaded, PayloadTooLarge, PipelineError
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.sampling import Sampling
from signal_pipeline.security.limits import Decision, Layer, LocalLimiter, RateLimiter, layers_for, rate_limit_headers
from signal_pipeline.serving.client_address import TrustedProxies
from signal_pipeline.serving.credentials import SERVICE, Caller, Credentials, Kind
from signal_pipeline.settings import Settings

__all__ = ["INTERNAL", "KNOWN", "OPEN", "Access", "Admission", "Rule", "current_admission"]

Endpoint = Callable[[Request], Awaitable[Response]]
_GUESSES_PER_SECOND: Final = 20.0  # API keys of one address that nobody has seen: each costs a question to PostgreSQL


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a route asks of its callers.

    Attributes:
        scope: Needed scope; None: any valid credential.
        always: Whether it asks also with SECURITY=off.
        is_open: Whether it asks for no credential at all, and only limits each address.
    """

    scope: str | None = None
    always: bool = False
    is_open: bool = False


KNOWN: Final = Rule()
INTERNAL: Final = Rule(scope=SERVICE)
OPEN: Final = Rule(is_open=True)


@dataclass(kw_only=True, slots=True)
class Admission:
    """A request that was let in.

    Attributes:
        caller: Who calls; None on an open route, or with SECURITY=off.
        address: From where, as far as trusted proxies tell.
        layers: The rate limits that it counts against; none for parts of the pipeline.
        decision: What the limits last said.
    """

    caller: Caller | None
    address: str
    layers: Sequence[Layer] = ()
    decision: Decision | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell the caller how much is left."""
        return {} if self.decision is None else rate_limit_headers(self.decision)


_CURRENT: ContextVar[Admission] = ContextVar("admission")


def current_admission() -> Admission:
    """Return the admission of the request that runs now; `LookupError` outside a route with a rule."""
    return _CURRENT.get()


class Access:
    """The doorkeeper of a function.

    Args:
        settings: Whether security is on, limits, trusted proxies.
        credentials: Finds out who calls.
        limiter: Rate limits.
    """

    def __init__(self, settings: Settings, credentials: Credentials, limiter: RateLimiter) -> None:
        self._settings = settings
        self._credentials = credentials
        self._limiter = limiter
        self._guesses = LocalLimiter()
        self._proxies = TrustedProxies.of(settings)
        self._log = Sampling()

    def guarded(self, endpoint: Endpoint, rule: Rule) -> Endpoint:
        """Return the endpoint behind its rule."""

        async def admitted(request: Request) -> Response:
            admission = await self.admit(request, rule)
            response = await endpoint(request)
            response.headers.update(admission.headers)
            return response

        return admitted

    async def admit(self, request: Request, rule: Rule) -> Admission:
        """Let a request in.

        Raises:
            Unauthenticated: it has no valid credential.
            Forbidden: the credential lacks the scope.
            Overloaded: a limit is reached.
            PayloadTooLarge: a limit lets so many events never through at once.
            DependencyUnavailable: what is needed to decide does not answer.
        """
        try:
            admission = await self._admitted(request, rule)
        except PipelineError as exc:
            self._note(request, exc)
            raise
        _CURRENT.set(admission)
        return admission

    async def charge(self, cost: int) -> None:
        """Count further events of the request that runs now; `Overloaded` when they are too many."""
        if cost > 0:
            await self._take(current_admission(), cost)

    async def is_known(self, request: Request) -> bool:
        """Tell whether a request may see details: everyone may while security is off."""
        if not self._settings.secured:
            return True
        try:
            await self._caller(request, self._proxies.address(request.scope))
        except PipelineError:
            return False
        return True

    async def close(self) -> None:
        """Close the limiter's connections."""
        await self._limiter.close()

    async def _admitted(self, request: Request, rule: Rule) -> Admission:
        admission = Admission(caller=None, address=self._proxies.address(request.scope))
        if not rule.is_open:
            if not (rule.always or self._settings.secured):
                return admission
            admission.caller = await self._caller(request, admission.address)
        if admission.caller is None or admission.caller.kind is not Kind.SERVICE:
            key = admission.caller.identity if admission.caller else None
            admission.layers = layers_for(self._settings, key=key, address=admission.address)
            await self._take(admission, 1)
        if admission.caller is not None:  # counted first: a request that may not do what it asks costs the same
            admission.caller.require(rule.scope)
        return admission

    async def _caller(self, request: Request, address: str) -> Caller:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.scope["headers"]]
        if self._credentials.is_guess(headers):
            rate = _GUESSES_PER_SECOND
            guess = Layer(name="guess", subject=address, per_second=rate, burst=rate)
            _refuse_unless_allowed(await self._guesses.take([guess]))
        return await self._credentials.caller(headers)

    async def _take(self, admission: Admission, cost: int) -> None:
        if admission.layers:
            admission.decision = await self._limiter.take(admission.layers, cost)
            _refuse_unless_allowed(admission.decision)

    def _note(self, request: Request, error: PipelineError) -> None:
        suppressed = self._log.due(error.failure.code)
        if suppressed is not None:
            address = self._proxies.address(request.scope)
            get_logger().warning("request_denied", code=error.failure.code, address=address, suppressed=suppressed)


def _refuse_unless_allowed(decision: Decision) -> None:
    if decision.allowed:
        return
    if decision.never:
        raise PayloadTooLarge(f"more events than the rate limit of this {decision.layer} lets through at once")
    error = Overloaded(
        f"the rate limit of this {decision.layer} is reached",
        code="rate_limited",
        retry_after_seconds=decision.retry_after_seconds,
    )
    error.headers.update(rate_limit_headers(decision))
    raise error
