"""`make health`: asks every component over its port, so it works for processes and for containers alike."""

import asyncio
import time

from rich.table import Table

from local import console
from local.probes import http_probe, kafka_probe, postgres_probe, redis_probe
from local.service import NotReady, Probe
from signal_pipeline.broker.config import client_config
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

__all__ = ["show_health"]

_PAUSE_SECONDS = 1.0


def show_health(settings: Settings, wait_seconds: float = 0.0) -> bool:
    """Print each component's answer; true when all serve, which they may become within `wait_seconds`."""
    probes = _probes(settings)
    deadline = time.monotonic() + wait_seconds
    findings = asyncio.run(_ask_all(probes))
    while any(findings) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        findings = asyncio.run(_ask_all(probes))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("component", "health", "finding"):
        table.add_column(title, overflow="fold")
    for name, finding in zip(probes, findings, strict=True):
        table.add_row(name, "[red]bad[/]" if finding else "[green]good[/]", finding)
    console.OUT.print(table)
    return not any(findings)


def _probes(settings: Settings) -> dict[str, Probe]:
    return {
        "postgres": postgres_probe(settings.database_url.get_secret_value()),
        "kafka": kafka_probe(client_config(settings)),
        "redis": redis_probe(settings.redis_url, settings.redis_password.get_secret_value(), settings.tls_ca_file),
        "connect": http_probe(f"{settings.connect_url}/health", settings),
        "prometheus": http_probe(f"http://127.0.0.1:{settings.prometheus_port}/-/ready"),
        **{role.name: http_probe(f"{settings.function_url(role.name)}/ready", settings) for role in ROLES},
    }


async def _ask_all(probes: dict[str, Probe]) -> list[str]:
    return await asyncio.gather(*(_ask(probe) for probe in probes.values()))


async def _ask(probe: Probe) -> str:
    try:
        await probe()
    except NotReady as exc:
        return str(exc).strip()
    return ""
