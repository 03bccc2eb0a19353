"""deploy/compose/production.yml: every secret from a file, the same for every part."""

from typing import Any

import pytest
from pydantic import SecretStr

from local.layout import ROOT
from signal_pipeline.settings import Settings
from tests.support.compose import RESET, read

PRODUCTION: dict[str, Any] = read(ROOT / "deploy" / "compose" / "production.yml")
CONTAINERS: dict[str, dict[str, Any]] = read(ROOT / "docker-compose.yml")["services"]
PARTS = [name for name, box in CONTAINERS.items() if box["image"] == "signal-pipeline:local"]
# The overlap of a rotation is empty but for a short time; compose's own broker takes no login; nothing in compose calls
# an OpenFaaS gateway.
VARIABLES = {"JWT_PREVIOUS_SECRET_KEYS", "KAFKA_PASSWORD", "OPENFAAS_PASSWORD"}
SECRETS = {name.upper() for name, field in Settings.model_fields.items() if field.annotation is SecretStr} - VARIABLES


@pytest.mark.parametrize("part", PARTS)
def test_each_secret_of_a_part_is_a_file(part: str) -> None:
    """The variable is taken away, which `<NAME>_FILE` demands, and the file is one of the mounted secrets."""
    box = PRODUCTION["services"][part]
    expected: dict[str, Any] = {"ENVIRONMENT": "production"}
    for name in SECRETS & CONTAINERS[part]["environment"].keys():
        expected |= {name: RESET, f"{name}_FILE": f"/run/secrets/{name.lower()}"}
    assert box["environment"] == expected
    assert {f"/run/secrets/{name}" for name in box["secrets"]} == {
        value for name, value in expected.items() if name.endswith("_FILE")
    }


def test_each_mounted_secret_has_a_file_and_nothing_else_changes() -> None:
    """Secrets are declared once, in the folder that must be named; the file touches what has secrets, and no more."""
    services = PRODUCTION["services"]
    used = {name for box in services.values() for name in box.get("secrets", ())}
    folder = "${SECRETS_DIR:?names the folder with a file for each secret}"
    assert PRODUCTION["secrets"] == {name: {"file": f"{folder}/{name}"} for name in used}
    assert services.keys() == {*PARTS, "postgres", "redis", "grafana", "traefik"}
    assert all(box.keys() <= {"environment", "secrets"} for name, box in services.items() if name != "redis")
    assert services["redis"].keys() == {"command", "environment", "healthcheck", "secrets"}


def test_the_servers_take_their_passwords_from_files_too() -> None:
    """PostgreSQL and Grafana each have their own form of `_FILE`, Redis reads it; the first file's variable goes."""
    assert PRODUCTION["services"]["redis"]["environment"] == {"REDISCLI_AUTH": RESET}
    for name, variable, file in (
        ("postgres", "POSTGRES_PASSWORD", "POSTGRES_PASSWORD_FILE"),
        ("grafana", "GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD__FILE"),
    ):
        environment = PRODUCTION["services"][name]["environment"]
        assert environment[variable] is RESET
        assert environment[file].startswith("/run/secrets/")
        assert variable in CONTAINERS[name]["environment"]
