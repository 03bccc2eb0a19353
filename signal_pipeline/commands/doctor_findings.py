"""What `doctor` finds, and how it looks: each check by itself, all at once, within a time.

checks ──a thread each──▶ look ──▶ findings
                           ├─ what it needs does not answer ──▶ fault: cannot be checked, and what starts it
                           └─ no answer when the time is over ──▶ the same
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signal_pipeline.errors import PipelineError
from signal_pipeline.settings import Settings

__all__ = ["Check", "Finding", "Level", "examine", "good", "worst"]


class Level(StrEnum):
    """How bad a finding is, the mildest first."""

    OK = "ok"
    HINT = "hint"  # worth knowing; nothing is wrong
    WARNING = "warning"  # works, and will not for ever
    FAULT = "fault"  # something does not work


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        level: How bad it is.
        what: What was found, in one line.
        fix: The command that repairs it or shows its cause; empty when nothing is to be done.
    """

    level: Level
    what: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        name: What it is about.
        look: Looks, and returns what it found; may block and raise.
        needs: The component without which it cannot be checked, as `make start-<component>` names it.
    """

    name: str
    look: Callable[[Settings], Sequence[Finding]]
    needs: str = ""


_ORDER: Final = tuple(Level)


def good(what: str) -> tuple[Finding, ...]:
    """Return the finding that all is well."""
    return (Finding(level=Level.OK, what=what),)


def worst(findings: Sequence[Finding]) -> Level:
    """Return the worst level; ok without findings."""
    return max((each.level for each in findings), key=_ORDER.index, default=Level.OK)


def examine(checks: Sequence[Check], settings: Settings, *, seconds: float) -> Mapping[str, Sequence[Finding]]:
    """Run the checks at once and return their findings, in their order.

    Args:
        checks: What to look at.
        settings: Where the parts are.
        seconds: How long to wait for all of them together. A check that hangs is left behind in its thread.
    """
    found: dict[str, Sequence[Finding]] = {}

    def look(check: Check) -> None:
        found[check.name] = _looked(check, settings)

    # Daemons: a server that accepts and says nothing must not hold up the end of the command.
    threads = [threading.Thread(target=look, args=(check,), daemon=True) for check in checks]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    late = f"no answer within {seconds:.0f} s"
    return {check.name: found.get(check.name) or (_unchecked(check, late),) for check in checks}


def _looked(check: Check, settings: Settings) -> Sequence[Finding]:
    try:
        return check.look(settings)
    except (PipelineError, LookupError, OSError) as exc:
        return (_unchecked(check, str(exc).partition(";")[0]),)  # the rest is the step of another command
    except Exception as exc:  # noqa: BLE001 - one check that breaks must not hide what the others found
        return (_unchecked(check, f"{type(exc).__name__}: {exc}".splitlines()[0]),)


def _unchecked(check: Check, why: str) -> Finding:
    fix = f"make start-{check.needs}" if check.needs else "make up"
    return Finding(level=Level.FAULT, what=f"cannot be checked: {why}", fix=fix)
