"""Client settings for librdkafka, each with its reason, in one place."""

import logging
import time
from typing import Any, Final

from signal_pipeline.settings import Settings

__all__ = ["DELIVERY_TIMEOUT_MS", "client_config", "consumer_config", "producer_config"]

DELIVERY_TIMEOUT_MS: Final = 10_000  # after this a caller is answered 503: it must be shorter than HTTP timeouts
_MIB: Final = 1024 * 1024


class _OncePerInterval(logging.Filter):
    """Lets one line of a kind pass at a time: a client without a broker repeats itself twenty times a second."""

    _SECONDS: Final = 10.0

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the first line of its kind; librdkafka's messages begin with one of a dozen facility names."""
        kind, now = record.getMessage().partition(" ")[0], time.monotonic()
        if now - self._passed.get(kind, -self._SECONDS) < self._SECONDS:
            return False
        self._passed[kind] = now
        return True


_CLIENT_LOG: Final = logging.getLogger("librdkafka")
_CLIENT_LOG.addFilter(_OncePerInterval())


def client_config(settings: Settings) -> dict[str, Any]:
    """Return what every client needs: where the broker is, how to speak to it, and whom to trust.

    A broker's certificate must be of the authority and bear the host's name; the client checks both by default.
    """
    config: dict[str, Any] = {"bootstrap.servers": settings.kafka_bootstrap_servers}
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return config
    config["security.protocol"] = protocol
    if protocol.endswith("SSL") and settings.tls_ca_file:
        config["ssl.ca.location"] = settings.tls_ca_file
    if protocol.startswith("SASL"):
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_username
        config["sasl.password"] = settings.kafka_password.get_secret_value()
    return config


def producer_config(settings: Settings) -> dict[str, Any]:
    """Return the settings of an idempotent producer that loses and reorders nothing."""
    return {
        **client_config(settings),
        "logger": _CLIENT_LOG,
        "acks": "all",
        "enable.idempotence": True,
        "retries": 100,  # bounded in truth by the delivery timeout
        "retry.backoff.ms": 50,
        "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
        "request.timeout.ms": DELIVERY_TIMEOUT_MS // 2,  # one lost request leaves time for a second
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 1000,
        "linger.ms": 2,  # a request's records arrive together: waiting longer adds latency and nothing else
        "compression.type": "lz4",
        # The client counts key, value and headers; the broker's limit per topic is the one that decides.
        "message.max.bytes": 2 * _MIB,
        "queue.buffering.max.messages": 50_000,
        "queue.buffering.max.kbytes": 64 * 1024,  # bounds memory while the broker is away
    }


def consumer_config(
    settings: Settings, *, group: str, offset_reset: str, protocol: str, instance: str = ""
) -> dict[str, Any]:
    """Return the settings of a consumer whose offsets move only when its owner commits them.

    Args:
        settings: Where the broker is.
        group: Consumer group.
        offset_reset: `earliest` or `latest`, for partitions without a committed offset.
        protocol: `classic`, or `consumer` for the protocol of KIP-848.
        instance: Name of this member that outlives a restart; empty for none. The broker gives a killed member's
            partitions back to the next process of that name, and ends the one before. Only with `classic`: with
            `consumer` the broker refuses the next one until the session of the killed one has run out.
    """
    config: dict[str, Any] = {
        **client_config(settings),
        "logger": _CLIENT_LOG,
        "group.id": group,
        "group.protocol": protocol,
        "auto.offset.reset": offset_reset,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,  # tells how far a partition is read when its end is a transaction marker
        "isolation.level": "read_committed",
        "fetch.queue.backoff.ms": 5,  # with the default of 1,000 a full queue stops fetching for a second
        "queued.max.messages.kbytes": 16 * 1024,  # per consumer, bounds memory
        "queued.min.messages": 10_000,
        "fetch.message.max.bytes": 2 * _MIB,
        "max.poll.interval.ms": 120_000,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 1000,
    }
    if protocol == "classic":
        config["partition.assignment.strategy"] = "cooperative-sticky"
        config["session.timeout.ms"] = 10_000  # how long the partitions of a killed trigger stand still
        if instance:
            config["group.instance.id"] = instance
    return config
