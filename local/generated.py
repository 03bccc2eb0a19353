"""Files that are committed and yet derived: `python -m local generate` writes them, a test keeps them up to date.

The containers' configuration comes from the same templates as that of the processes, `.env.example` and the table of
settings from the settings model, an image's bill of materials from its lock, Grafana's dashboards from their tables and
the alerts' thresholds, what a cluster's Prometheus and Strimzi are told from the rules, the roles, the topics and the
connector; so none of them can differ from its source.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from local.cluster_kafka import kafka_files
from local.cluster_monitoring import cluster_files
from local.dashboards import dashboard_files
from local.layout import ROOT
from local.render import render
from local.secure.settings_files import OPEN_BROKER
from signal_pipeline.settings import Settings

__all__ = ["generated_files"]

# Inside a container each component has its default port; compose moves what is published.
_CONTAINER_VALUES: dict[str, dict[str, object]] = {
    "kafka.properties": {
        "listeners": "PLAINTEXT://0.0.0.0:29092,EXTERNAL://0.0.0.0:9092",
        "advertised_listeners": "PLAINTEXT://kafka:29092,EXTERNAL://127.0.0.1:9092",
        "controller_port": 9093,
        "security": OPEN_BROKER,
        "data": "/data",
    },
    "connect.properties": {
        "bootstrap_servers": "kafka:29092",
        "listener": "http://0.0.0.0:8083",
        "advertised_host": "debezium",
        "plugins": "/opt/kafka/plugins",
        "security": "",
    },
    "postgresql.conf": {
        "listen_addresses": "*",
        "port": 5432,
        "socket_folder": "/var/run/postgresql",
        "preload": "pg_stat_statements",
        "ssl": "off",
    },
    # The password follows on the command line, where compose can put in REDIS_PASSWORD.
    "redis.conf": {"bind": "0.0.0.0", "listener": "port 6379", "password": '""', "data": "/data"},
    "log4j2.properties": {},
}

_ENV_HEADER = """\
# Every setting with its default. Copy to .env and remove the # of what you change; a port that is left out moves with
# PORT_OFFSET. The secrets are for development: ENVIRONMENT=production refuses to start with them.
"""

_TABLE_HEADER = """\
# Settings

Each is an environment variable or a line of `.env`; an unknown one is ignored, a malformed one stops the start.
Each secret may stand in a file instead, which the variable's name with `_FILE` names: `JWT_SECRET_KEY_FILE`.

| variable | default | meaning |
|---|---|---|
"""


def generated_files() -> dict[Path, str]:
    """Return path and text of every generated file."""
    from local.api_reference import api_pages  # noqa: PLC0415 - a web framework comes with it; other commands need none
    from local.supply.sbom import image_bills  # noqa: PLC0415 - it needs the development requirements

    folder = ROOT / "local" / "compose"
    return {
        **{folder / name: render(name, **values) for name, values in _CONTAINER_VALUES.items()},
        ROOT / ".env.example": _env_example(),
        ROOT / "docs" / "settings.md": _settings_table(),
        **{ROOT / "docs" / "api" / name: text for name, text in api_pages().items()},
        **{ROOT / "monitoring" / "grafana" / "dashboards" / name: text for name, text in dashboard_files().items()},
        **{ROOT / "requirements" / name: text for name, text in image_bills().items()},
        **{ROOT / "deploy" / "monitoring" / name: text for name, text in cluster_files().items()},
        **{ROOT / "deploy" / "knative" / "kafka" / name: text for name, text in kafka_files().items()},
    }


def _env_example() -> str:
    return _ENV_HEADER + "".join(f"\n# {meaning}\n#{name}={default}\n" for name, default, meaning in _settings())


def _settings_table() -> str:
    rows = (f"| `{name}` | {default and f'`{default}`'} | {meaning} |\n" for name, default, meaning in _settings())
    return _TABLE_HEADER + "".join(rows)


def _settings() -> Iterator[tuple[str, str, str]]:
    """Yield variable, default and meaning of each setting."""
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = default.get_secret_value() if isinstance(default, SecretStr) else str(default)
        yield name.upper(), shown, field.description or ""
