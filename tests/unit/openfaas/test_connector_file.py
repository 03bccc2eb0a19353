"""deploy/openfaas/connector.yml: the connector as a function, of an image that stack.yml builds."""

import pytest
from pydantic import SecretStr

from local.layout import ROOT
from signal_pipeline.settings import Settings
from signal_pipeline.trigger.openfaas.main import CONNECTOR
from tests.support.stack_file import Function, read_stack

MOUNT = "/var/openfaas/secrets/"
STACK = read_stack(ROOT / "stack.yml")


@pytest.fixture(scope="module")
def connector() -> Function:
    """The only function of the file."""
    functions = read_stack(ROOT / "deploy" / "openfaas" / "connector.yml").functions
    assert list(functions) == [CONNECTOR]
    return functions[CONNECTOR]


def test_it_builds_nothing_of_its_own(connector: Function) -> None:
    """Its image is one of stack.yml's, and nothing calls it: it has no topic."""
    assert connector.skip_build
    assert connector.image == STACK.functions["process-signal"].image
    assert "topic" not in connector.annotations


def test_there_is_always_exactly_one(connector: Function) -> None:
    """It is neither scaled to nothing nor beyond one, for each runs the schedules."""
    assert {name.rpartition(".")[2]: value for name, value in connector.labels.items()} == {
        "min": "1",
        "max": "1",
        "zero": "false",
    }


def test_its_environment_is_settings(connector: Function) -> None:
    """Variables are settings, well formed; secrets are files that are mounted; it emits nothing by itself."""
    ours = {k: v for k, v in connector.environment.items() if k not in {"ROLE", "PORT", "write_timeout"}}
    assert (connector.environment["ROLE"], connector.environment["PORT"]) == (CONNECTOR, "8080")
    secrets = {name.upper() for name, info in Settings.model_fields.items() if info.annotation is SecretStr}
    files = {name.removesuffix("_FILE"): path for name, path in ours.items() if name.endswith("_FILE")}
    assert files.keys() <= secrets
    assert not ours.keys() & secrets
    assert {path.removeprefix(MOUNT) for path in files.values()} == set(connector.secrets)
    plain = {name.lower(): value for name, value in ours.items() if not name.endswith("_FILE")}
    assert plain.keys() <= Settings.model_fields.keys()
    chosen = Settings(_env_file=None, **(plain | {"environment": "development"}))
    assert chosen.signals_per_second == 0
    weak = {name for name in Settings(_env_file=None).weak_secrets() if name != "DATABASE_URL"}
    assert weak <= files.keys()


def test_it_meets_the_broker_of_the_functions(connector: Function) -> None:
    """Broker, gateway's registry and security have the values of stack.yml, whatever the shell says."""
    theirs = STACK.functions["process-signal"].environment
    same = connector.environment.keys() & theirs.keys() - {"ROLE"}
    assert {name: connector.environment[name] for name in same} == {name: theirs[name] for name in same}
