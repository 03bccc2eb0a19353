"""What every command has around it: the settings, and one line instead of a stack when something expected fails."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError

from signal_pipeline.errors import PipelineError
from signal_pipeline.observability.logs import configure_logs
from signal_pipeline.secured_state import PART
from signal_pipeline.settings import Settings, load_settings

__all__ = ["command_settings"]


@contextmanager
def command_settings(role: str) -> Iterator[Settings]:
    """Lend the settings; turn an expected fault into one line on standard error and exit code 1."""
    before = PART.set(role)
    try:
        settings = load_settings()
        configure_logs(role=role, level=settings.log_level)
        yield settings
    except ValidationError as exc:
        lines = [f"{'.'.join(map(str, error['loc'])).upper() or 'settings'}: {error['msg']}" for error in exc.errors()]
        raise _stopped("\n".join(lines)) from None
    except (PipelineError, LookupError, OSError) as exc:
        raise _stopped(str(exc)) from exc
    finally:
        PART.reset(before)


def _stopped(message: str) -> typer.Exit:
    print(f"signal-pipeline: {message}", file=sys.stderr)  # noqa: T201 - the answer of a command
    return typer.Exit(1)
