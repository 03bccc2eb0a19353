"""docker-compose.yml describes the same pipeline as the local run: same parts, ports, settings and order."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from local.components.kafka import CONNECT_JVM, KAFKA_JVM
from local.components.table import all_services
from local.layout import ROOT, Layout
from local.service import Service
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = Settings(_env_file=None)

# One component has another name in containers: what runs there is Debezium, on Kafka Connect.
CONTAINER_NAMES = {"connect": "debezium"}
# Only containers bring these: Grafana is not installed by the local run, whose gateway is another program.
ONLY_IN_COMPOSE = {"grafana", "traefik"}
ONLY_LOCAL = {"gateway"}
TASKS = {"migrate", "topics", "connector"}
# The controller listens inside its container only.
UNPUBLISHED = {"KAFKA_CONTROLLER_PORT"}
# Where the parts find each other is what differs between processes and containers.
ADDRESSES = {
    "BIND_ADDRESS": "0.0.0.0",
    "STATE_DIR": "/app",
    "KAFKA_BOOTSTRAP_SERVERS": "${KAFKA_BOOTSTRAP_SERVERS:-kafka:29092}",
    "DATABASE_URL": "${DATABASE_URL:-postgresql://postgres:postgres@postgres:5432/eventpipeline}",
    "REDIS_URL": "${REDIS_URL:-redis://redis:6379/0}",
    "CONNECT_URL": "${CONNECT_URL:-http://debezium:8083}",
    "TRUSTED_PROXIES": "${TRUSTED_PROXIES:-10.213.97.10/32}",
    **{f"FUNCTION_URL_{role.env}": f"http://{role.name}:{role.port}" for role in ROLES},
}
# A container has its default ports whatever is published; a role's trigger page is told to that role alone; what it was
# built from is the image's own; there the gateway speaks TLS, and files of this machine are not in a container; the
# password is that of the local gateway; a sink is injected by Knative.
NOT_PASSED = re.compile(r"BUILD|GATEWAY_PASSWORD|K_SINK|PORT_OFFSET|TRIGGER_METRICS_URL|[A-Z_]+_FILE|[A-Z_]+_PORT")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    """The local run's services under their containers' names."""
    table = all_services(SETTINGS, Layout(state=tmp_path_factory.mktemp("state")))
    shared = [service for service in table if service.name not in {"grafana", *ONLY_LOCAL}]
    return {CONTAINER_NAMES.get(service.name, service.name): service for service in shared}


def test_both_have_the_same_parts(services: dict[str, Service]) -> None:
    """Every local service but the gateway is a container; containers add Grafana and a gateway of their own."""
    assert CONTAINERS.keys() - ONLY_IN_COMPOSE == services.keys()


def test_both_use_the_same_ports(services: dict[str, Service]) -> None:
    """Each port is published under its setting's name with the setting's default, onto that default inside."""
    for name, service in services.items():
        expected = {
            f"${{BIND_ADDRESS:-127.0.0.1}}:${{{setting}:-{port}}}:{port}"
            for setting, port in service.ports.items()
            if setting not in UNPUBLISHED
        }
        assert set(CONTAINERS[name].get("ports", ())) == expected, name


@pytest.mark.parametrize(("name", "setting"), [("grafana", "GRAFANA_PORT"), ("traefik", "GATEWAY_PORT")])
def test_the_containers_own_parts_can_be_moved_too(name: str, setting: str) -> None:
    """Grafana and the gateway have a setting for their port as every other part."""
    port = Settings.model_fields[setting.lower()].default
    address = "${BIND_ADDRESS:-127.0.0.1}"
    address = address if name == "grafana" else f"${{GATEWAY_BIND_ADDRESS:-{address}}}"  # what strangers may reach
    assert f"{address}:${{{setting}:-{port}}}:{port}" in CONTAINERS[name]["ports"]


@pytest.mark.parametrize("part", [name for name in CONTAINERS if name.startswith(tuple(role.name for role in ROLES))])
def test_every_setting_reaches_every_part_with_the_models_default(part: str) -> None:
    """A setting in the shell or .env has the same effect in a container as in a process."""
    environment = {
        name: value for name, value in CONTAINERS[part]["environment"].items() if name != "TRIGGER_METRICS_URL"
    }
    expected = {}
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        if not NOT_PASSED.fullmatch(name.upper()):
            expected[name.upper()] = ADDRESSES.get(name.upper(), f"${{{name.upper()}:-{default}}}")
    assert environment == expected


def test_each_function_knows_its_triggers_page() -> None:
    """A role's metrics page merges its trigger's, which is another container."""
    pages = {role.name: CONTAINERS[role.name]["environment"].get("TRIGGER_METRICS_URL") for role in ROLES}
    assert pages == {
        role.name: role.trigger_port and f"http://{role.name}-trigger:{role.trigger_port}/metrics" for role in ROLES
    }


def test_both_start_in_the_same_order(services: dict[str, Service]) -> None:
    """A container depends on what its local service needs: on tasks as completed, on the others as healthy."""
    for name, service in services.items():
        needs = {CONTAINER_NAMES.get(need, need) for need in service.needs}
        found = CONTAINERS[name].get("depends_on", {})
        assert found.keys() == needs, name
        for need, how in found.items():
            expected = "service_completed_successfully" if need in TASKS else "service_healthy"
            assert how["condition"] == expected, f"{name} on {need}"


def test_both_run_the_same_commands(services: dict[str, Service]) -> None:
    """Functions, triggers and tasks take the same arguments after `python -m signal_pipeline`."""
    for name, service in services.items():
        if "signal_pipeline" in service.argv:
            assert CONTAINERS[name]["command"] == list(service.argv[3:]), name


def test_both_give_the_jvms_the_same_memory() -> None:
    """Heap and collector are the same for broker and worker."""
    assert CONTAINERS["kafka"]["environment"]["JVM_OPTIONS"].split() == list(KAFKA_JVM)
    assert CONTAINERS["debezium"]["environment"]["JVM_OPTIONS"].split() == list(CONNECT_JVM)


def test_both_keep_metrics_for_the_same_time(services: dict[str, Service]) -> None:
    """Prometheus has the same limits of age and size."""
    local = {part for part in services["prometheus"].argv if "retention" in part}
    assert local == {part for part in CONTAINERS["prometheus"]["command"] if "retention" in part}


def test_every_container_that_stays_has_a_health_check() -> None:
    """`service_healthy` waits for ever without one."""
    assert {name for name, container in CONTAINERS.items() if "healthcheck" not in container} == TASKS


def test_everything_that_is_mounted_or_built_from_exists() -> None:
    """An engine would create a missing mount source as an empty folder, and the container would fail later."""
    sources = [mount.split(":")[0] for each in CONTAINERS.values() for mount in each.get("volumes", ())]
    for source in (source for source in sources if source.startswith(".")):
        assert (ROOT / source).exists(), source
    for build in (container["build"] for container in CONTAINERS.values() if "build" in container):
        assert Path(ROOT / build["context"] / build.get("dockerfile", "Dockerfile")).is_file()


def test_what_a_profile_leaves_out_is_running_without_one() -> None:
    """The empty profile is the one in force when none is asked for; `core` is in none of these."""
    optional = {name: container["profiles"] for name, container in CONTAINERS.items() if "profiles" in container}
    assert optional == {"redis": ["", "redis"], "auth": ["", "auth"], "traefik": ["", "gateway"]}


def test_no_container_needs_a_part_that_a_profile_leaves_out() -> None:
    """The core starts without auth, Redis and the gateway."""
    for name, container in CONTAINERS.items():
        for need, how in container.get("depends_on", {}).items():
            if "profiles" in CONTAINERS[need]:
                assert how["required"] is False, f"{name} on {need}"
