"""Prometheus, and Grafana where it is installed. Both read the files that compose mounts, with local addresses."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from local.layout import ROOT, Layout
from local.probes import http_probe
from local.service import Service, Unusable
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

__all__ = ["grafana", "local_prometheus_config", "prometheus"]

_SOURCE = ROOT / "monitoring" / "prometheus.yml"


def prometheus(settings: Settings, layout: Layout) -> Service:
    """Return the service; `Unusable` when prometheus is not installed."""
    server = shutil.which("prometheus")
    if server is None:
        raise Unusable("prometheus is not installed; run local/install.sh")
    config, address = layout.config / "prometheus.yml", f"127.0.0.1:{settings.prometheus_port}"
    return Service(
        name="prometheus",
        argv=(
            server,
            f"--config.file={config}",
            f"--storage.tsdb.path={layout.data / 'prometheus'}",
            "--storage.tsdb.retention.time=1d",
            "--storage.tsdb.retention.size=512MB",
            f"--web.listen-address={address}",
        ),
        probe=http_probe(f"http://{address}/-/ready"),
        prepare=lambda: _write_config(settings, config),
        ports={"PROMETHEUS_PORT": settings.prometheus_port},
        url=f"http://{address}",
    )


def grafana(settings: Settings, layout: Layout) -> Service | None:
    """Return the service; None where Grafana is not installed, for the pipeline works without it."""
    server = shutil.which("grafana") or shutil.which("grafana-server")
    if server is None:
        return None
    address, data = f"127.0.0.1:{settings.grafana_port}", layout.data / "grafana"
    dashboards = ROOT / "monitoring" / "grafana" / "dashboards"
    command = (server, "server") if Path(server).name == "grafana" else (server,)
    return Service(
        name="grafana",
        argv=(*command, "--homepath", str(_grafana_home(server))),
        needs=("prometheus",),
        probe=http_probe(f"http://{address}/api/health"),
        prepare=lambda: data.mkdir(parents=True, exist_ok=True),
        env={
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(settings.grafana_port),
            # Its own places for these are below its home, where only the system may write.
            "GF_PATHS_DATA": str(data),
            "GF_PATHS_LOGS": str(data / "log"),
            "GF_PATHS_PLUGINS": str(data / "plugins"),
            "GF_LOG_MODE": "console",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(dashboards / "overview.json"),
            "GF_PATHS_PROVISIONING": str(ROOT / "monitoring" / "grafana" / "provisioning"),
            "PROMETHEUS_URL": f"http://127.0.0.1:{settings.prometheus_port}",
            "DASHBOARDS": str(dashboards),
        },
        ports={"GRAFANA_PORT": settings.grafana_port},
        url=f"http://{address}",
    )


def _grafana_home(server: str) -> Path:
    """Return where its defaults and pages are: beside an unpacked program, else where packages put them."""
    unpacked = Path(server).resolve().parent.parent
    return unpacked if (unpacked / "conf" / "defaults.ini").is_file() else Path("/usr/share/grafana")


def local_prometheus_config(source: dict[str, Any], settings: Settings, folder: Path) -> dict[str, Any]:
    """Return the configuration with this machine's addresses instead of compose's service names.

    Args:
        source: The configuration that compose mounts.
        settings: Where the targets listen here.
        folder: Where the source lies: its rule files are relative to it.

    Raises:
        KeyError: a target is no part of the pipeline.
    """
    here = {f"{role.name}:{role.metrics_port}": f"127.0.0.1:{settings.metrics_port(role.name)}" for role in ROLES}
    here["prometheus:9090"] = f"127.0.0.1:{settings.prometheus_port}"

    def moved(job: dict[str, Any]) -> dict[str, Any]:
        groups = [{**group, "targets": [here[each] for each in group["targets"]]} for group in job["static_configs"]]
        return {**job, "static_configs": groups}

    rules = [str(folder / pattern) for pattern in source.get("rule_files", [])]
    return {**source, "rule_files": rules, "scrape_configs": [moved(job) for job in source["scrape_configs"]]}


def _write_config(settings: Settings, target: Path) -> None:
    source = yaml.safe_load(_SOURCE.read_text())
    target.write_text(yaml.safe_dump(local_prometheus_config(source, settings, _SOURCE.parent), sort_keys=False))
