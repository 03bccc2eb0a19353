"""Lets the connector begin anew after the loss of its replication slot.

stop ──▶ forget the offsets ──▶ resume ──▶ Debezium makes a slot, sends every unconfirmed row, streams on

With offsets but without a slot the connector fails, and stays so on purpose: what it missed must be somebody's
knowledge. Without offsets it starts as for the first time, by the snapshot that sql/debezium/outbox-connector.json
describes.
"""

import time
from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from signal_pipeline.broker.connector import CONNECTOR_NAME, apply_connector
from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["reset_connector"]

_REQUEST_SECONDS: Final = 10
_STOP_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.25
# Connect is a neighbour, which the environment's proxy for the internet need not reach; broker/connector.py uses none.
_DIRECT: Final = ProxyHandler({})


def reset_connector(settings: Settings) -> None:
    """Make the connector forget where it was, and wait until it runs.

    Raises:
        DependencyUnavailable: Connect does not do it in time; the command can be repeated.
        ConfigurationError: Connect refuses the configuration.
    """
    _order(settings, "PUT", "stop")
    deadline = time.monotonic() + _STOP_SECONDS
    # Refused until the last task has ended.
    while not _accepted(settings, "DELETE", "offsets"):
        if time.monotonic() >= deadline:
            raise DependencyUnavailable(f"{CONNECTOR_NAME} does not stop; run the command again")
        time.sleep(_POLL_SECONDS)
    _order(settings, "PUT", "resume")
    apply_connector(settings)


def _order(settings: Settings, method: str, what: str) -> None:
    if not _accepted(settings, method, what):
        raise DependencyUnavailable(f"Kafka Connect refuses to {what} {CONNECTOR_NAME}; see make debezium-config")


def _accepted(settings: Settings, method: str, what: str) -> bool:
    url = f"{settings.connect_url}/connectors/{CONNECTOR_NAME}/{what}"
    try:
        opener = build_opener(_DIRECT, HTTPSHandler(context=client_context(settings)))
        # The address is a setting.
        with opener.open(Request(url, method=method), timeout=_REQUEST_SECONDS) as answer:  # noqa: S310
            return bool(answer.status < HTTPStatus.MULTIPLE_CHOICES)
    except HTTPError:
        return False
    except (OSError, HTTPException) as exc:
        raise DependencyUnavailable(f"Kafka Connect does not serve {settings.connect_url}; see CONNECT_URL") from exc
