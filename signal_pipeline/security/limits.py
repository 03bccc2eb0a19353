"""Rate limits in layers: which ones a call must keep, who decides, and what the caller is told.

POST /emit with 100 events ──▶ key, address, global, cost 100 ──┐
POST /auth/token ────────────▶ login_user, login_address, cost 1 ┴▶ limiter ──▶ Decision ──▶ 429, or 413 when `never`
"""

import math
from typing import Final

from signal_pipeline.observability.metrics import RateLimitMetrics
from signal_pipeline.security.gcra import UNLIMITED, Decision, Layer, RateLimiter
from signal_pipeline.security.local_limiter import LocalLimiter
from signal_pipeline.security.redis_limiter import RedisLimiter
from signal_pipeline.security.resilient_limiter import OnFailure, ResilientLimiter
from signal_pipeline.settings import Settings

__all__ = [
    "UNLIMITED",
    "Decision",
    "Layer",
    "LocalLimiter",
    "OnFailure",
    "RateLimiter",
    "RedisLimiter",
    "ResilientLimiter",
    "layers_for",
    "limiter_of",
    "login_layers",
    "rate_limit_headers",
]

_SECONDS_A_MINUTE: Final = 60.0
_EVERYBODY: Final = "*"
_NO_REDIS: Final = "-"


def limiter_of(settings: Settings, metrics: RateLimitMetrics, on_failure: OnFailure) -> RateLimiter:
    """Return the limiter of a process; one is enough for all of its routes. It connects with its first call.

    Args:
        settings: REDIS_URL, REDIS_PASSWORD and TLS_CA_FILE.
        metrics: Where its decisions are counted; several limiters of a process may share them.
        on_failure: Who decides while Redis does not answer: "local", a limiter of this process; "closed", nobody.

    Raises:
        ConfigurationError: REDIS_URL is no address.
    """
    if settings.redis_url == _NO_REDIS:
        return LocalLimiter()
    password = settings.redis_password.get_secret_value()
    shared = RedisLimiter(settings.redis_url, password=password, ca_file=settings.tls_ca_file)
    return ResilientLimiter(shared, metrics, on_failure)


def layers_for(settings: Settings, *, key: str | None = None, address: str | None = None) -> list[Layer]:
    """Return the layers of a call with events.

    Args:
        settings: The rates; 0 leaves a layer out.
        key: Id of the API key or user that calls, never the key itself; None leaves the layer out.
        address: Whom `client_address` found to call; None leaves the layer out.
    """
    rates = (
        ("key", key, settings.rate_limit_per_key),
        ("address", address, settings.rate_limit_per_address),
        ("global", _EVERYBODY, settings.rate_limit_global),
    )
    return [
        Layer(
            name=name,
            subject=subject,
            per_second=rate,
            burst=max(1.0, rate * settings.rate_limit_burst_seconds),
        )
        for name, subject, rate in rates
        if subject is not None and rate > 0
    ]


def login_layers(settings: Settings, username: str, address: str) -> list[Layer]:
    """Return the layers of one attempt at a password: the attempts of a minute may come at once, then evenly spread.

    Args:
        settings: Its LOGIN_ATTEMPTS_PER_MINUTE hold for each user and for each address.
        username: As the caller wrote it; it need not exist.
        address: Whom `client_address` found to call.
    """
    attempts = settings.login_attempts_per_minute
    return [
        Layer(name=name, subject=subject, per_second=attempts / _SECONDS_A_MINUTE, burst=attempts)
        for name, subject in (("login_user", username), ("login_address", address))
    ]


def rate_limit_headers(decision: Decision) -> dict[str, str]:
    """Return the headers that tell a caller how it stands; none when nothing limits it.

    Both forms that clients read: the three plain fields of the draft's first versions, and the two structured fields
    of draft-ietf-httpapi-ratelimit-headers-10. They describe the one layer that `Decision.layer` names:

        RateLimit-Limit: 20            RateLimit-Policy: "key";q=20;w=2      20 at once, and 20 in 2 s
        RateLimit-Remaining: 3         RateLimit: "key";r=3;t=2              3 left now; t is Retry-After when refused,
        RateLimit-Reset: 2                                                   else the time until all 20 are back

    Seconds are whole and rounded up. Retry-After is there when the call is refused and works later.
    """
    if not decision.layer:
        return {}
    reset = math.ceil(decision.reset_seconds)
    window = max(1, math.ceil(decision.window_seconds))
    headers = {
        "RateLimit-Limit": f"{decision.limit}",
        "RateLimit-Remaining": f"{decision.remaining}",
        "RateLimit-Reset": f"{reset}",
        "RateLimit-Policy": f'"{decision.layer}";q={decision.limit};w={window}',
        "RateLimit": f'"{decision.layer}";r={decision.remaining};t={decision.retry_after_seconds or reset}',
    }
    if decision.retry_after_seconds:
        headers["Retry-After"] = f"{decision.retry_after_seconds}"
    return headers
