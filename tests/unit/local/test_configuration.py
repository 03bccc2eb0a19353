"""What the local run renders for its components."""

import os
from pathlib import Path

import pytest
import yaml

from local.components.monitoring import local_prometheus_config
from local.components.pipeline import EMIT_TRIGGER
from local.components.postgres import _remove_stale_lock
from local.components.table import INFRASTRUCTURE, all_services
from local.graph import start_layers, with_dependencies
from local.layout import ROOT, Layout
from local.render import render, write
from local.service import Service
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

SETTINGS = Settings(_env_file=None, port_offset=20_000)


@pytest.fixture
def services(tmp_path: Path) -> dict[str, Service]:
    """The table of services with its ports moved by 20,000."""
    return {service.name: service for service in all_services(SETTINGS, Layout(state=tmp_path))}


def test_a_placeholder_without_a_value_is_an_error() -> None:
    """No configuration file keeps a placeholder that nobody filled in."""
    with pytest.raises(KeyError, match="preload"):
        render("postgresql.conf", listen_addresses="", port=1, ssl="off", socket_folder="")


def test_a_rendered_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """Configuration holds passwords."""
    target = write("redis.conf", tmp_path, bind="127.0.0.1", listener="port 1", password='"secret"', data='"/data"')
    assert target.stat().st_mode & 0o077 == 0
    assert 'requirepass "secret"' in target.read_text()


def test_prometheus_scrapes_every_role_at_its_local_port() -> None:
    """Each role's metrics page appears once, with this machine's address."""
    source = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
    jobs = local_prometheus_config(source, SETTINGS, ROOT / "monitoring")["scrape_configs"]
    roles = next(job for job in jobs if job["job_name"] == "signal-pipeline")
    targets = {group["labels"]["role"]: group["targets"] for group in roles["static_configs"]}
    assert targets == {role.name: [f"127.0.0.1:{role.metrics_port + 20_000}"] for role in ROLES}


def test_a_scrape_target_that_is_no_part_of_the_pipeline_is_an_error() -> None:
    """A renamed service in the compose file must not silently lose its metrics here."""
    source = {"scrape_configs": [{"job_name": "x", "static_configs": [{"targets": ["emitt:8011"]}]}]}
    with pytest.raises(KeyError, match="emitt:8011"):
        local_prometheus_config(source, SETTINGS, ROOT)


def test_all_services_can_be_ordered(services: dict[str, Service]) -> None:
    """The table names no unknown need and has no circle."""
    start_layers({name: service.needs for name, service in services.items()})


def test_the_infrastructure_needs_nothing_of_the_pipeline(services: dict[str, Service]) -> None:
    """`up --only infra` starts the components and nothing else."""
    needs = {name: service.needs for name, service in services.items()}
    assert with_dependencies(needs, INFRASTRUCTURE) == set(INFRASTRUCTURE)


def test_the_steady_emission_starts_after_everything_it_feeds(services: dict[str, Service]) -> None:
    """Until all functions and the connector are ready it would only take the machine from them."""
    needs = set(services[EMIT_TRIGGER].needs)
    assert {role.name for role in ROLES} | {"connector"} <= needs


def test_every_port_is_moved_by_the_setting_that_its_error_names(services: dict[str, Service]) -> None:
    """A port-in-use error can only be followed when the named setting exists and holds that port."""
    for service in services.values():
        for setting, port in service.ports.items():
            assert getattr(SETTINGS, setting.lower()) == port
            assert port > 20_000


def test_the_lock_of_a_dead_server_whose_pid_a_stranger_has_is_removed(tmp_path: Path) -> None:
    """After a reboot another program may have that process id, and PostgreSQL would take it for a running server."""
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n/data\n")
    _remove_stale_lock(tmp_path)
    assert not lock.exists()


def test_any_other_lock_is_left_to_postgresql(tmp_path: Path) -> None:
    """A lock whose process is gone is PostgreSQL's own to judge."""
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{2**22 + 1}\n/data\n")  # above the largest process id that Linux gives
    _remove_stale_lock(tmp_path)
    assert lock.exists()
