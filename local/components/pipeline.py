"""The pipeline's own parts: the tasks that prepare its stores, its functions, its triggers, its gateway."""

import sys

from local.deployments import Deployments
from local.gateway.headers import OWN_ADDRESS
from local.layout import Layout
from local.probes import http_probe
from local.service import Service
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES, Role

__all__ = ["EMIT_TRIGGER", "functions", "gateway", "tasks", "triggers"]

EMIT_TRIGGER = "emit-trigger"


def tasks() -> list[Service]:
    """Return what runs once at each start; each is idempotent."""
    return [
        Service(name="migrate", argv=_command("migrate"), needs=("postgres",), ready_seconds=300),
        Service(name="topics", argv=_command("topics"), needs=("kafka",)),
        Service(name="connector", argv=_command("connector"), needs=("connect", "migrate", "topics")),
    ]


def functions(settings: Settings, layout: Layout) -> list[Service]:
    """Return the functions of all roles; `Unusable` when what was deployed cannot be read."""
    deployments = Deployments(layout)
    deployments.removed_services()
    return [_function(role, settings, deployments) for role in ROLES]


def triggers(settings: Settings) -> list[Service]:
    """Return a trigger for every role that has one; its manifest is `triggers/<role>.yaml`."""
    ports = ((role, settings.trigger_port(role.name)) for role in ROLES)
    return [_trigger(role, port, settings) for role, port in ports if port is not None]


def gateway(settings: Settings) -> Service:
    """Return the gateway: it needs nobody, and says of each function whether it serves."""
    url = f"{settings.scheme}://{_reachable(settings.bind_address)}:{settings.gateway_port}"
    return Service(
        name="gateway",
        argv=(sys.executable, "-m", "local", "gateway"),
        probe=http_probe(f"{url}/healthz", settings),
        ports={"GATEWAY_PORT": settings.gateway_port},
        address=settings.bind_address,
        url=url,
    )


def _function(role: Role, settings: Settings, deployments: Deployments) -> Service:
    port = settings.port(role.name)
    url = f"{settings.scheme}://{_reachable(settings.bind_address)}:{port}"
    return Service(
        name=role.name,
        argv=_command("serve", role.name, "--port", str(port)),  # said, lest a PORT of this shell decide
        needs=("migrate", "topics", "redis"),
        probe=http_probe(f"{url}/ready", settings),
        env={"TRUSTED_PROXIES": ",".join(filter(None, (settings.trusted_proxies, OWN_ADDRESS)))},
        deployed_env=lambda: deployments.environment(role.name),
        ports={f"{role.env}_PORT": port, f"{role.env}_METRICS_PORT": settings.metrics_port(role.name)},
        address=settings.bind_address,
        url=url,
    )


def _trigger(role: Role, port: int, settings: Settings) -> Service:
    host = _reachable(settings.bind_address)
    # The steady emission starts last: until all else is ready it would only take the machine from it.
    others = [other.name for other in ROLES] if role.name == "emit" else [role.name]
    return Service(
        name=f"{role.name}-trigger",
        argv=_command("trigger", role.name),
        # The supervisor runs one process of this name: after a crash the next one has the partitions at once.
        env={"TRIGGER_INSTANCE": f"{role.name}-1"},
        needs=(*others, "connector") if role.name == "emit" else tuple(others),
        probe=http_probe(f"http://{host}:{port}/ready"),
        ports={f"{role.env}_TRIGGER_PORT": port},
        address=settings.bind_address,
        url=f"http://{host}:{port}/metrics",
        stop_seconds=35.0,  # a trigger may drain for 30 s
    )


def _command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "signal_pipeline", *arguments)


def _reachable(bind_address: str) -> str:
    """Return where this machine reaches a server that listens on the address."""
    return "127.0.0.1" if bind_address in {"0.0.0.0", "::"} else bind_address
