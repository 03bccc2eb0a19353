"""A plain POST of a rate or schedule source, and what its answer means for the next one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import aiohttp

from signal_pipeline.domain.retry import retry_after_seconds

__all__ = ["Call", "post"]

_RETRY_AFTER_CAP_SECONDS: Final = 60.0
_SUCCESS: Final = range(200, 300)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """The outcome of one POST.

    Attributes:
        ok: Whether it succeeded.
        outcome: HTTP status, or the kind of failure.
        retry_after_seconds: How long the other side asked to be left alone.
    """

    ok: bool
    outcome: str
    retry_after_seconds: float = 0.0


async def post(session: aiohttp.ClientSession, url: str, *, body: bytes, headers: dict[str, str]) -> Call:
    """Post and drop the answer's body; never raises for what the network or the other side did."""
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            await response.read()
            asked = retry_after_seconds(
                response.headers.get("Retry-After"), now=datetime.now(UTC), cap_seconds=_RETRY_AFTER_CAP_SECONDS
            )
            return Call(ok=response.status in _SUCCESS, outcome=str(response.status), retry_after_seconds=asked)
    except TimeoutError:
        return Call(ok=False, outcome="timeout")
    except (aiohttp.ClientError, OSError) as exc:
        return Call(ok=False, outcome=type(exc).__name__)
