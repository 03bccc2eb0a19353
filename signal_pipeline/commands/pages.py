"""Reads many HTTP pages at once, each answering or not, and the metrics on them."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from signal_pipeline.topology import ROLES

__all__ = ["Answer", "Samples", "metrics_of_roles", "read_pages", "samples_of"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5, connect=2)

Samples = Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer of a server.

    Attributes:
        status: HTTP status; None when nothing answered.
        text: The body, or why nothing answered.
    """

    status: int | None
    text: str


def read_pages(settings: Settings, urls: Mapping[str, str]) -> dict[str, Answer]:
    """GET all addresses at once, by name; takes at most some seconds and raises nothing of theirs."""
    return asyncio.run(_read_all(urls, client_context(settings)))


def samples_of(text: str) -> dict[str, float]:
    """Return the samples of a metrics page: `name`, summed over labels; `name le=bound` for a histogram's buckets."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            bound = sample.labels.get("le")
            name = sample.name if bound is None else f"{sample.name} le={bound}"
            found[name] = found.get(name, 0.0) + sample.value
    return found


def metrics_of_roles(settings: Settings) -> dict[str, dict[str, float] | None]:
    """Return the samples of each role's metrics page; None where it does not answer."""
    names: Iterable[str] = (role.name for role in ROLES)
    answers = read_pages(settings, {name: f"http://127.0.0.1:{settings.metrics_port(name)}/metrics" for name in names})
    return {name: samples_of(answer.text) if answer.status == 200 else None for name, answer in answers.items()}  # noqa: PLR2004


async def _read_all(urls: Mapping[str, str], context: ssl.SSLContext) -> dict[str, Answer]:
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session:
        answers = await asyncio.gather(*(_read(session, url) for url in urls.values()))
    return dict(zip(urls, answers, strict=True))


async def _read(session: aiohttp.ClientSession, url: str) -> Answer:
    try:
        async with session.get(url) as answer:
            return Answer(status=answer.status, text=await answer.text())
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as exc:
        return Answer(status=None, text=f"{url} does not answer ({type(exc).__name__})")
