"""The Makefile's commands on one service, as both modes run them; make itself says what it would run."""

import subprocess
from pathlib import Path

import pytest

from local.layout import ROOT


def orders(*words: str) -> list[str]:
    """Return the commands that make would run, without that which readies the Python environment."""
    said = subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [" ".join(line.split()) for line in said.splitlines() if "install.sh" not in line]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("MODE=process", "logs-emit"), ".venv/bin/python -m local logs emit --lines 100"),
        (("MODE=process", "logs-emit", "FOLLOW=no"), ".venv/bin/python -m local logs emit --lines 100 --no-follow"),
        (("MODE=process", "logs", "FOLLOW=no"), ".venv/bin/python -m local logs --no-follow"),
        (("MODE=compose", "logs-emit"), "docker compose logs --follow --tail 100 emit"),
        (("MODE=compose", "logs-emit", "FOLLOW=no"), "docker compose logs --tail 100 emit"),
        (("MODE=compose", "logs", "FOLLOW=no"), "docker compose logs --tail 20"),
    ],
)
def test_a_log_is_followed_unless_told_otherwise(words: tuple[str, ...], wanted: str) -> None:
    """FOLLOW=no prints the end of a log and returns, in both modes."""
    assert orders(*words) == [wanted]


@pytest.mark.parametrize("action", ["logs", "stop", "start"])
def test_connect_has_one_name_in_both_modes(action: str) -> None:
    """What runbooks and doctor call connect is the container debezium; the task connector keeps its name."""
    (order,) = orders("MODE=compose", f"{action}-connect", "FOLLOW=no")
    assert order.split()[-1] == "debezium"
    assert orders("MODE=process", f"{action}-connect")[0].split()[4] == "connect"
    assert orders("MODE=compose", f"{action}-connector")[0].split()[-1] == "connector"


@pytest.mark.parametrize("action", ["logs", "stop", "start"])
def test_the_gateway_has_one_name_in_both_modes(action: str) -> None:
    """In containers it is Traefik."""
    assert orders("MODE=compose", f"{action}-gateway", "FOLLOW=no")[0].split()[-1] == "traefik"
    assert orders("MODE=process", f"{action}-gateway")[0].split()[4] == "gateway"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("MODE=process", "up"), ".venv/bin/python -m local up"),
        (("SECURE=1", "up"), ".venv/bin/python -m local up --secure"),
    ],
)
def test_secure_starts_processes_with_tls(words: tuple[str, ...], wanted: str, tmp_path: Path) -> None:
    """SECURE=1 is about processes, engine or not; without the word `up` is as it was."""
    assert orders(f"STATE_DIR={tmp_path}", *words) == [wanted]


def test_a_secured_pipeline_stays_one_of_processes(tmp_path: Path) -> None:
    """Its folder says so: no later command takes it for containers, even where an engine answers."""
    (tmp_path / "secure").mkdir()
    assert orders(f"STATE_DIR={tmp_path}", "down") == [".venv/bin/python -m local down"]
