"""Grafana is told the same by compose and by the local run: where Prometheus is, and where the dashboards lie."""

from pathlib import Path

import pytest
import yaml

from local.components.monitoring import grafana
from local.layout import ROOT, Layout
from signal_pipeline.settings import Settings
from tests.support.provisioning import PROVISIONING, DataSourceFile, ProviderFile

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    """Both provisioning files have the documented shape; what they leave open, compose and the local run say."""
    sources = DataSourceFile.model_validate(_yaml("datasources/prometheus.yml")).datasources
    providers = ProviderFile.model_validate(_yaml("dashboards/signal-pipeline.yml")).providers
    assert [(source.type, source.url, source.isDefault) for source in sources] == [
        ("prometheus", "$PROMETHEUS_URL", True)
    ]
    assert [(one.options.path, one.allowUiUpdates) for one in providers] == [("$DASHBOARDS", False)]
    files = {path.relative_to(PROVISIONING).as_posix() for path in PROVISIONING.rglob("*.yml")}
    assert files == {"datasources/prometheus.yml", "dashboards/signal-pipeline.yml"}


def _yaml(name: str) -> object:
    return yaml.safe_load((PROVISIONING / name).read_text())


def test_the_container_is_told_where_everything_is() -> None:
    """Paths inside the container are those of the mounted folder, and the overview is the first page."""
    told = COMPOSE["environment"]
    assert told["PROMETHEUS_URL"] == "http://prometheus:9090"
    assert "./monitoring:/monitoring:ro" in COMPOSE["volumes"]
    for name in ("GF_PATHS_PROVISIONING", "DASHBOARDS", "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"):
        assert (ROOT / told[name].removeprefix("/")).exists(), name


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Grafana unpacked from its archive, with its program on PATH."""
    home = tmp_path / "grafana-11"
    (home / "bin").mkdir(parents=True)
    (home / "conf").mkdir()
    (home / "conf" / "defaults.ini").touch()
    program = home / "bin" / "grafana"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(home / "bin"))
    return home


def test_an_installed_grafana_is_started_with_the_same_files(installed: Path, tmp_path: Path) -> None:
    """The local run tells it home, provisioning, dashboards, Prometheus; it writes below the state folder only."""
    layout = Layout(state=tmp_path / "state")
    service = grafana(Settings(_env_file=None, grafana_port=3001, prometheus_port=9091), layout)
    assert service is not None
    assert service.argv == (str(installed / "bin" / "grafana"), "server", "--homepath", str(installed))
    assert service.env["PROMETHEUS_URL"] == "http://127.0.0.1:9091"
    assert service.env["GF_SERVER_HTTP_PORT"] == "3001"
    assert Path(service.env["GF_PATHS_PROVISIONING"]) == PROVISIONING
    assert Path(service.env["DASHBOARDS"]) == ROOT / "monitoring" / "grafana" / "dashboards"
    assert Path(service.env["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()
    written = [Path(service.env[f"GF_PATHS_{kind}"]) for kind in ("DATA", "LOGS", "PLUGINS")]
    assert [path for path in written if not path.is_relative_to(layout.state)] == []


def test_without_grafana_the_pipeline_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed there is no such service, and nothing fails."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert grafana(Settings(_env_file=None), Layout(state=tmp_path)) is None
