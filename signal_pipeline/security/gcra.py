"""The generic cell rate algorithm (GCRA, ITU-T I.371), pure: levels in, a decision out.

Of its two equal forms this is the continuous-state leaky bucket: a level in events that drains at the layer's rate.
The other form keeps a time of the far future; a double of seconds since 1970 has steps of 0.24 microseconds, which at
200,000 events a second is an error of 5 % in every addition. A level has no such steps.

    level ──drains by elapsed * rate──▶ level + cost <= burst of every layer? ──yes──▶ every level rises by the cost
                                              └─ no ─▶ none does; the layer that needs the longest wait is named
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["SLACK_EVENTS", "UNLIMITED", "Decision", "Layer", "RateLimiter", "check_cost", "decide", "subject_digest"]

# What a call may be over a burst: after the seconds of Retry-After a level is 0 or, for want of digits, 7e-15, and then
# the call must pass. Doubles of a million events have steps of 1e-10.
SLACK_EVENTS: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One limit that a call must keep.

    Attributes:
        name: What is limited, such as "key", "address" or "global": a constant of the code, for metrics and headers.
        subject: Whose limit it is, such as an address; kept only as a digest.
        per_second: Events a second in the long run, above 0.
        burst: Events that may come at once, at least 1.
    """

    name: str
    subject: str
    per_second: float
    burst: float

    def __post_init__(self) -> None:
        if not (0 < self.per_second < math.inf and 1 <= self.burst < math.inf):
            raise ValueError(f"layer {self.name}: per_second must be above 0 and burst at least 1, both finite")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether a call may pass, and how its caller stands.

    Attributes:
        allowed: Every layer lets it pass, and has been charged; else none has.
        layer: Which layer refuses; when allowed, the one with least left; empty without any layer.
        limit: Events that this layer lets through at once.
        window_seconds: Time in which that many drain: limit / window_seconds is the layer's rate.
        remaining: Events that it would let through now.
        reset_seconds: Time until all of the limit is there again.
        retry_after_seconds: Whole seconds after which the same call works, at least 1 when refused; 0 when allowed, and
            0 when `never`.
        never: Refused because it costs more than the layer ever lets through at once: only a smaller call works, so
            the answer is 413 and not 429.
    """

    allowed: bool
    layer: str
    limit: int
    window_seconds: float
    remaining: int
    reset_seconds: float
    retry_after_seconds: int
    never: bool = False


UNLIMITED: Final = Decision(
    allowed=True, layer="", limit=0, window_seconds=0.0, remaining=0, reset_seconds=0.0, retry_after_seconds=0
)


class RateLimiter(Protocol):
    """Decides and charges calls against layers, all of them or none."""

    async def take(self, layers: Sequence[Layer], cost: int = 1) -> Decision:
        """Charge a call to every layer if all of them allow it.

        Args:
            layers: The limits of this call, each with its own name; with none the call passes.
            cost: Events in the call, at least 1.

        Raises:
            DependencyUnavailable: it cannot be decided, and the limiter is one that then refuses.
            ValueError: the cost is below 1.
        """
        ...

    async def close(self) -> None:
        """Give back what the limiter holds, such as connections."""
        ...


def subject_digest(layer: Layer) -> bytes:
    """Return 16 bytes that stand for a layer's name and subject: short however long those are."""
    # A user name from JSON may hold a lone surrogate, which UTF-8 does not take.
    text = f"{layer.name}\0{layer.subject}".encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def check_cost(layers: Sequence[Layer], cost: int) -> Decision | None:
    """Return the decision that needs no levels: without layers, and for a cost above a burst; else None.

    Raises:
        ValueError: the cost is below 1.
    """
    if cost < 1:
        raise ValueError(f"a call costs at least 1, not {cost}")
    if not layers:
        return UNLIMITED
    tightest = min(layers, key=lambda layer: layer.burst)
    if cost <= tightest.burst:
        return None
    return Decision(
        allowed=False,
        layer=tightest.name,
        limit=int(tightest.burst),
        window_seconds=tightest.burst / tightest.per_second,
        remaining=0,
        reset_seconds=0.0,
        retry_after_seconds=0,
        never=True,
    )


def decide(layers: Sequence[Layer], levels: Sequence[float], cost: int) -> Decision:
    """Return the decision on a call.

    Worked: 10 a second, burst 20, level 19.5, cost 3: 22.5 is 2.5 too much, which drains in 0.25 s; whole seconds: 1.

    Args:
        layers: At least one.
        levels: The level of each layer now, before the call, in events.
        cost: Events in the call, at most the burst of every layer.
    """
    over = [level + cost - layer.burst - SLACK_EVENTS for layer, level in zip(layers, levels, strict=True)]
    if all(events <= 0 for events in over):
        at = min(range(len(layers)), key=lambda index: -over[index])
        return _decision(layers[at], levels[at] + cost, retry_after=0)
    waits = [events / layer.per_second for layer, events in zip(layers, over, strict=True)]
    at = max(range(len(layers)), key=waits.__getitem__)
    return _decision(layers[at], levels[at], retry_after=max(1, math.ceil(waits[at])))


def _decision(layer: Layer, level: float, *, retry_after: int) -> Decision:
    return Decision(
        allowed=not retry_after,
        layer=layer.name,
        limit=int(layer.burst),
        window_seconds=layer.burst / layer.per_second,
        remaining=max(0, int(layer.burst - level + SLACK_EVENTS)),
        reset_seconds=level / layer.per_second,
        retry_after_seconds=retry_after,
    )
