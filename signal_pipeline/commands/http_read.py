"""Reads a page of one of our servers, and says what to do when it does not answer."""

import asyncio
import json
from typing import Any, Final

import aiohttp

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["read_json", "read_text"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)
_NOT_FOUND: Final = 404
_OK: Final = 300


def read_json(settings: Settings, url: str, *, what: str) -> Any:
    """Return the JSON answer to a GET; errors as `read_text`."""
    text = read_text(settings, url, what=what)
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        raise DependencyUnavailable(f"{url} did not answer with JSON; is another server listening there?") from exc


def read_text(settings: Settings, url: str, *, what: str) -> str:
    """Return the text answer to a GET.

    Args:
        settings: Whom to trust.
        url: Where.
        what: The component that answers there, as `make status` and `make logs-<component>` name it.

    Raises:
        DependencyUnavailable: it does not answer, or not with success.
    """
    return asyncio.run(_read(settings, url, what))


async def _read(settings: Settings, url: str, what: str) -> str:
    context = client_context(settings)
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url, ssl=context) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise DependencyUnavailable(f"{what} does not answer at {url}; start the pipeline with: make up") from exc
    if answer.status == _NOT_FOUND:
        raise DependencyUnavailable(f"{what} knows no {url}; is another server listening there?")
    if answer.status >= _OK:
        raise DependencyUnavailable(f"{what} answered {answer.status} at {url}; see its log with: make logs-{what}")
    return text
