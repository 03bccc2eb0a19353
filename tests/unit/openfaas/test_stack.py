"""stack.yml says what the rest of the repository says: roles, topics, settings, version."""

import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from local.layout import ROOT
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from signal_pipeline.trigger.manifest import KafkaTrigger, load_triggers
from tests.support.stack_file import Stack, read_stack, substituted

STACK = ROOT / "stack.yml"
NAMES = [role.name for role in ROLES]
SETTINGS = Settings(_env_file=None)
MOUNT = "/var/openfaas/secrets/"
# Read by the platform or by a watchdog, not by the product.
PLATFORM = {"ROLE", "PORT", "read_timeout", "write_timeout", "exec_timeout"}


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The file with nothing set in the shell."""
    return read_stack(STACK)


def test_it_has_exactly_the_functions(stack: Stack) -> None:
    """A function for each role and each folder under functions/, with that folder as handler and our template."""
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/main.py")}
    assert stack.functions.keys() == set(NAMES) == folders
    for name, function in stack.functions.items():
        assert (function.lang, function.handler) == ("python-signal", f"./functions/{name}")
        assert (ROOT / "template" / function.lang / "template.yml").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_topic_is_named_where_a_trigger_reads_one(stack: Stack, name: str) -> None:
    """The annotation `topic` lists the topics of the role's manifest; a role that no topic calls has none."""
    triggers = load_triggers(name, SETTINGS, folder=ROOT / "triggers") if name != "auth" else ()
    topics = [topic for trigger in triggers if isinstance(trigger, KafkaTrigger) for topic in trigger.topics]
    assert stack.functions[name].annotations.get("topic", "") == ",".join(topics)


@pytest.mark.parametrize("name", NAMES)
def test_its_environment_is_settings_of_the_product(stack: Stack, name: str) -> None:
    """Role and port are the platform's; every other variable is a setting that compose passes too, well formed."""
    environment = stack.functions[name].environment
    assert (environment["ROLE"], environment["PORT"]) == (name, "8080")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-settings"].keys() | {"TRIGGER_METRICS_URL"}
    ours = {variable: value for variable, value in environment.items() if variable not in PLATFORM}
    secret = {variable for variable in ours if variable.endswith("_FILE")}
    assert {variable.removesuffix("_FILE") for variable in ours} <= compose
    plain = {variable.lower(): value for variable, value in ours.items() if variable not in secret}
    Settings(_env_file=None, **(plain | {"environment": "development"}))


@pytest.mark.parametrize("name", NAMES)
def test_every_secret_is_a_file_and_none_is_a_variable(stack: Stack, name: str) -> None:
    """Each secret that production demands is mounted and its file named; no secret's own variable is set."""
    function = stack.functions[name]
    secrets = {field for field, info in Settings.model_fields.items() if info.annotation is SecretStr}
    # The overlap of a rotation is empty but for a short time; the connector alone logs in at a gateway, and the gateway
    # of the local run alone asks for its own.
    secrets -= {"jwt_previous_secret_keys", "openfaas_password", "gateway_password"}
    files = {variable: value for variable, value in function.environment.items() if variable.endswith("_FILE")}
    assert files == {f"{field.upper()}_FILE": MOUNT + field.replace("_", "-") for field in secrets}
    assert {MOUNT + secret for secret in function.secrets} == set(files.values())
    assert not function.environment.keys() & {field.upper() for field in secrets}


@pytest.mark.parametrize("name", NAMES)
def test_each_function_is_bounded_and_cannot_write(stack: Stack, name: str) -> None:
    """Images carry a registry and this version; memory, CPU and replicas have limits; the root is read-only."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    function = stack.functions[name]
    assert function.image == f"localhost:5000/signal-pipeline/{name}:{version}"
    assert function.readonly_root_filesystem
    least, most = (int(function.labels[f"com.openfaas.scale.{end}"]) for end in ("min", "max"))
    assert 1 <= least <= most


def test_the_shell_moves_addresses() -> None:
    """Registry, gateway and brokers come from the environment of whoever deploys."""
    moved = read_stack(
        STACK, {"REGISTRY": "r.example", "OPENFAAS_URL": "https://g.example", "KAFKA_BOOTSTRAP_SERVERS": "k:1"}
    )
    assert moved.provider.gateway == "https://g.example"
    assert moved.functions["auth"].image.startswith("r.example/signal-pipeline/auth:")
    assert moved.functions["auth"].environment["KAFKA_BOOTSTRAP_SERVERS"] == "k:1"
    assert read_stack(STACK).provider.gateway == "http://127.0.0.1:8080"


def test_the_template_is_the_one_that_the_functions_name() -> None:
    """template.yml has the language's name and the command of the image, and nothing that faas-cli does not read."""
    template = yaml.safe_load((ROOT / "template" / "python-signal" / "template.yml").read_text())
    assert template.keys() == {"language", "fprocess", "welcome_message"}
    assert (template["language"], template["fprocess"]) == ("python-signal", "python -m signal_pipeline serve")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("readonly_root_filesystem: true", "readOnlyRootFilesystem: true"), "readOnlyRootFilesystem"),
        (("    lang: python-signal\n", ""), "lang"),
        (('PORT: "8080"', "PORT: 8080"), "PORT"),
        (("version: 1.0", "version: 2.0"), "version"),
    ],
)
def test_what_faas_cli_would_drop_is_found(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    """The strict schema knows a misspelt key, a missing one, a number for a text and another version."""
    copy = tmp_path / "stack.yml"
    copy.write_text(STACK.read_text().replace(*change))
    with pytest.raises(ValidationError, match=named):
        read_stack(copy)


@pytest.mark.parametrize("path", ["stack.yml", "deploy/openfaas/connector.yml"])
def test_what_is_merged_is_never_set_again(path: str) -> None:
    """A key stands in a mapping or in what is merged into it: the strict parser of Go refuses both."""
    mappings = [yaml.compose((ROOT / path).read_text())]
    for node in mappings:  # grows while it is read
        if isinstance(node, yaml.SequenceNode):
            mappings += node.value
        if isinstance(node, yaml.MappingNode):
            own = {key.value for key, _ in node.value}
            merged = [value for key, value in node.value if key.value == "<<"]
            assert not [key.value for each in merged for key, _ in each.value if key.value in own]
            mappings += [value for _, value in node.value]


def test_substitution_has_two_forms() -> None:
    """A variable that is empty or missing gives its default; any other form is refused."""
    assert substituted("${A}-${B:-b:1}-${C:-c}", {"A": "a", "C": ""}) == "a-b:1-c"
    with pytest.raises(ValueError, match="neither"):
        substituted("${A?missing}", {})
