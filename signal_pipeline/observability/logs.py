"""Logs: one JSON line per event of interest, on standard output, without a character that a terminal would obey.

What has the form of a credential is hidden, whoever wrote it.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog

__all__ = ["configure_logs", "get_logger"]


# JSON itself escapes the first 32 characters only. Senders choose ids: an escape sequence of eight bits, or a character
# that some readers take for the end of a line, must not get from there to a screen.
_UNSAFE: Final = re.compile("[\x7f-\x9f\u2028\u2029]")
# Nothing of ours logs a credential; an error text of a library may hold an address with one, or a header. Tokens,
# API keys, what follows Bearer or Basic, and passwords in addresses are known by their form.
_SECRET: Final = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*|spk_[0-9A-Za-z]{20,}"
    r"|(?<=\bBearer )[^\s\"\\]+|(?<=\bBasic )[\w+/]{8,}={0,2}|(?<=://)([^\s/:@\"\\]*):[^\s/@\"\\]+(?=@)"
)
_HIDDEN: Final = "[hidden]"


def _hide(found: "re.Match[str]") -> str:
    return _HIDDEN if found[1] is None else f"{found[1]}:{_HIDDEN}"


def _serialize(event: dict[str, Any], **_: Any) -> str:
    line = _SECRET.sub(_hide, orjson.dumps(event, default=str).decode())
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


class _Role:
    """Puts the role into every line: a bound context does not reach the threads of libraries."""

    def __init__(self, role: str) -> None:
        self._role = role

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("role", self._role)
        return event


class _AsJson(logging.Handler):
    """Writes what libraries log (uvicorn, librdkafka, psycopg) as lines of the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        get_logger().log(
            record.levelno, "library_log", library=record.name, message=record.getMessage(), exc_info=record.exc_info
        )


def configure_logs(*, role: str, level: str, stream: TextIO | None = None) -> None:
    """Write JSON lines with time, level, role and the bound context, such as `correlation_id`.

    Args:
        role: Name of the role or component, in every line.
        level: Least level written: debug, info, warning or error.
        stream: Where to; standard output when None.
    """
    structlog.contextvars.clear_contextvars()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Role(role),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_serialize),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stdout),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_AsJson()], level=logging.WARNING, force=True)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger of this process; bind context with `structlog.contextvars`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
