"""`connector`: applies the Debezium connector and shows its state and configuration."""

from typing import Any, Final

from signal_pipeline.broker.connector import CONNECTOR_NAME, apply_connector
from signal_pipeline.commands.http_read import read_json
from signal_pipeline.commands.screen import show_table
from signal_pipeline.settings import Settings

__all__ = ["show_connector"]

_SECRETS: Final = ("password", "secret", "token")


def show_connector(settings: Settings) -> None:
    """Bring the connector into its state, then print what Kafka Connect says of it."""
    apply_connector(settings)
    url = f"{settings.connect_url}/connectors/{CONNECTOR_NAME}"
    status = read_json(settings, f"{url}/status", what="connect")
    parts = [("connector", status["connector"]), *((f"task {task['id']}", task) for task in status["tasks"])]
    show_table(
        CONNECTOR_NAME, ("part", "state", "worker"), ((name, of["state"], of["worker_id"]) for name, of in parts)
    )
    configuration: dict[str, Any] = read_json(settings, f"{url}/config", what="connect")
    rows = ((name, _shown(name, str(value))) for name, value in sorted(configuration.items()))
    show_table("Configuration", ("setting", "value"), rows)


def _shown(name: str, value: str) -> str:
    """Return a configuration value as it may be shown: a secret is hidden, whatever it is."""
    return "(hidden)" if any(word in name for word in _SECRETS) else value
