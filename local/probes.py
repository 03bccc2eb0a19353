"""Readiness: each probe asks the service for real work, and raises `NotReady` until it gets an answer."""

import asyncio
import functools
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
import psycopg
import redis.asyncio
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local.service import NotReady, Probe
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["http_probe", "kafka_probe", "postgres_probe", "redis_probe"]

_TIMEOUT_SECONDS = 5.0


def http_probe(url: str, settings: Settings | None = None) -> Probe:
    """Ready when a GET is answered with 200; the settings say whom to trust, the system's authorities without them."""

    @functools.cache
    def tls() -> ssl.SSLContext | bool:
        return True if settings is None else client_context(settings)

    async def probe() -> None:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url, ssl=tls()) as response:
                if response.status != 200:  # noqa: PLR2004
                    raise NotReady(f"GET {url} answers {response.status}: {(await response.text())[:200]}")
        except ConfigurationError as exc:
            raise NotReady(str(exc)) from exc
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise NotReady(f"GET {url} fails: {exc or type(exc).__name__}") from exc

    return probe


def postgres_probe(database_url: str) -> Probe:
    """Ready when a query is answered in the pipeline's own database."""

    async def probe() -> None:
        try:
            connection = await psycopg.AsyncConnection.connect(database_url, connect_timeout=int(_TIMEOUT_SECONDS))
            async with connection:
                await connection.execute("SELECT 1")
        except psycopg.Error as exc:
            raise NotReady(f"PostgreSQL does not answer: {exc}") from exc

    return probe


def kafka_probe(config: Mapping[str, Any]) -> Probe:
    """Ready when a broker answers a metadata request of a client with these settings."""
    bootstrap = str(config["bootstrap.servers"])

    def ask() -> Any:
        # log_level 0: refused connections are what a probe expects and need no line each.
        client = AdminClient({**config, "log_level": 0})
        return client.list_topics(timeout=_TIMEOUT_SECONDS)

    async def probe() -> None:
        host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
        try:
            # A closed port is told at once; the client would wait for its whole timeout.
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await asyncio.to_thread(ask)
        except (OSError, KafkaException) as exc:
            raise NotReady(f"Kafka does not answer: {exc}") from exc

    return probe


def redis_probe(url: str, password: str, authority: str = "") -> Probe:
    """Ready when PING is answered to a client with the password; a rediss:// server must be of the authority."""
    tls = {"ssl_ca_certs": authority or None} if url.startswith("rediss:") else {}

    async def probe() -> None:
        client = redis.asyncio.from_url(url, password=password, socket_timeout=_TIMEOUT_SECONDS, **tls)
        try:
            await client.ping()
        except (redis.exceptions.RedisError, OSError) as exc:
            raise NotReady(f"Redis does not answer: {exc}") from exc
        finally:
            await client.aclose()

    return probe
