"""The secured local run: what is made, what each part is told, and what its components are configured with."""

import json
from pathlib import Path

import pytest

from local.components.table import all_services
from local.layout import Layout
from local.secure.parts import SHARED_SECRETS, part_names
from local.secure.settings_files import OPEN_BROKER, broker_security, connect_security, redis_listener
from local.secure.state import is_secured, read_secrets, secure, settings_of
from local.service import Unusable
from signal_pipeline.commands.running import command_settings
from signal_pipeline.secured_state import PART
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

OWN_ADDRESSES = ("DATABASE_URL", "REDIS_URL", "CONNECT_URL", "KAFKA_SECURITY_PROTOCOL", "KAFKA_USERNAME", "TLS_CA_FILE")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A state folder without anything, and an environment and a working folder without settings."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return Layout(state=tmp_path / "state")


@pytest.fixture
def secured(layout: Layout) -> Layout:
    """A state folder that is secured."""
    secure(Settings(_env_file=None), layout)
    return layout


def variables(layout: Layout, part: str) -> dict[str, str]:
    """Return what a part's file says."""
    return dict(line.split("=", 1) for line in (layout.state / "secure" / f"{part}.env").read_text().splitlines())


def test_a_second_run_changes_no_secret(secured: Layout) -> None:
    """Passwords that a database and a broker know already must stay."""
    before = (secured.state / "secure" / "secrets.json").read_text()
    authority = (secured.state / "secure" / "ca.pem").read_bytes()
    secure(Settings(_env_file=None), secured)
    assert (secured.state / "secure" / "secrets.json").read_text() == before
    assert (secured.state / "secure" / "ca.pem").read_bytes() == authority


def test_a_table_that_grew_gets_what_is_new(secured: Layout) -> None:
    """A pipeline that was secured by an older version gets a password for a login that came later."""
    file = secured.state / "secure" / "secrets.json"
    kept = json.loads(file.read_text())
    del kept["database"]["auth"]
    file.write_text(json.dumps(kept))
    secure(Settings(_env_file=None), secured)
    assert read_secrets(secured).database.items() > kept["database"].items()


def test_an_open_pipelines_data_is_never_secured(layout: Layout) -> None:
    """Its database and broker know other passwords; nothing is made, and the message says what to do."""
    (layout.data / "postgres").mkdir(parents=True)
    with pytest.raises(Unusable, match="make clean first"):
        secure(Settings(_env_file=None), layout)
    assert not is_secured(layout)


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "KAFKA_USERNAME"])
def test_addresses_of_another_pipeline_are_refused(layout: Layout, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over the part's file, so what leads elsewhere is named before anything starts."""
    monkeypatch.setenv(name, "postgresql://elsewhere/x" if name == "DATABASE_URL" else "redis://elsewhere")
    with pytest.raises(Unusable, match=f"SECURE sets {name} itself"):
        secure(Settings(_env_file=None), layout)
    assert not is_secured(layout), "a start that was refused secures nothing"


def test_every_part_has_its_own_file(secured: Layout) -> None:
    """All functions and triggers, and the commands whose work is not the operator's."""
    functions = {role.name for role in ROLES}
    triggers = {f"{role.name}-trigger" for role in ROLES if role.trigger_port}
    assert set(part_names()) == functions | triggers | {
        "access",
        "connector",
        "gateway",
        "maintain",
        "migrate",
        "operator",
        "outbox",
        "topics",
    }
    for part in part_names():
        assert (secured.state / "secure" / f"{part}.env").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", part_names())
def test_a_part_knows_no_other_parts_credentials(secured: Layout, part: str) -> None:
    """Its file has at most one database password, one Kafka password, and the shared secrets that it uses."""
    secrets = read_secrets(secured)
    told = variables(secured, part)
    text = "\n".join(told.values())
    assert sum(password in text for password in secrets.database.values()) <= 1
    assert sum(password in text for password in secrets.kafka.values()) <= 1
    for name, parts in SHARED_SECRETS.items():
        assert (told[name] == secrets.shared[name]) is (part in parts), name
        assert len(told[name]) >= 32
    assert told["SECURITY"] == "on"


def test_what_reaches_no_store_has_no_login(secured: Layout) -> None:
    """A trigger needs no database, and of the functions only those that write to Kafka are users there."""
    for role in ROLES:
        if role.trigger_port:
            assert "@" not in variables(secured, f"{role.name}-trigger")["DATABASE_URL"]
    users = {part for part in part_names() if "KAFKA_USERNAME" in variables(secured, part)}
    assert users & {role.name for role in ROLES} == {"emit", "replay-dlq"}
    assert "emit-trigger" not in users


def test_a_process_reads_its_parts_file(secured: Layout) -> None:
    """Settings take the file of the part that the process is, and the operator's for a command without one."""
    assert settings_of("emit", Settings(_env_file=None), secured).kafka_username == "emit"
    before = PART.set("db-stats")
    try:
        assert Settings(state_dir=secured.state).kafka_username == "operator"
    finally:
        PART.reset(before)


def test_the_environment_wins(secured: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person says for one command goes before what was generated; so does `.env`."""
    monkeypatch.setenv("KAFKA_USERNAME", "mine")
    assert Settings(state_dir=secured.state).kafka_username == "mine"
    monkeypatch.delenv("KAFKA_USERNAME")
    monkeypatch.delenv("STATE_DIR", raising=False)  # make gives it to the tests
    Path(".env").write_text(f"STATE_DIR={secured.state}\nEMIT_API_KEY=own-key\n")
    assert Settings().emit_api_key.get_secret_value() == "own-key"
    assert Settings().kafka_username == "operator"


def test_an_open_run_reads_nothing(layout: Layout) -> None:
    """Without the folder every setting is as it was."""
    assert Settings(state_dir=layout.state) == Settings(_env_file=None, state_dir=layout.state)
    assert settings_of("emit", Settings(_env_file=None), layout) == Settings(_env_file=None)


def test_components_are_open_without_it(layout: Layout) -> None:
    """The pieces of configuration are those of before."""
    assert broker_security(layout) == OPEN_BROKER
    assert connect_security(layout) == ""
    assert redis_listener(6379, layout) == "port 6379"


def test_the_broker_denies_what_no_right_allows(secured: Layout) -> None:
    """Clients come by SASL_SSL alone, the controller takes certificates alone, and the super users are two."""
    lines = dict(line.split("=", 1) for line in broker_security(secured).splitlines())
    assert lines["listener.security.protocol.map"] == "SASL_SSL:SASL_SSL,CONTROLLER:SSL"
    assert lines["sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert lines["listener.name.controller.ssl.client.auth"] == "required"
    assert lines["allow.everyone.if.no.acl.found"] == "false"
    assert lines["super.users"] == "User:admin;User:CN=kafka"


def test_connect_resolves_secrets_of_one_file_only(secured: Layout) -> None:
    """A connector could ask for any file of the machine otherwise, and send it anywhere."""
    lines = dict(line.split("=", 1) for line in connect_security(secured).split("\n") if line)
    file = str(secured.state / "secure" / "connector.properties")
    assert lines["config.providers.file.param.allowed.paths"] == file
    assert lines["listeners.https.ssl.client.auth"] == "required"
    assert lines["producer.security.protocol"] == lines["security.protocol"] == "SASL_SSL"


def test_redis_has_no_open_port(secured: Layout) -> None:
    """The one port speaks TLS."""
    assert redis_listener(6379, secured).splitlines()[:2] == ["port 0", "tls-port 6379"]


def test_connect_waits_for_its_user(secured: Layout) -> None:
    """The task that makes topics makes the users too; an open broker knows no users."""
    services = {service.name: service for service in all_services(Settings(_env_file=None), secured)}
    assert services["connect"].needs == ("kafka", "topics")
    assert services["connect"].url.startswith("https://")


def test_a_command_is_its_part_until_it_ends() -> None:
    """What one process does afterwards, such as the next test, is no part of it."""
    before = PART.get()
    with command_settings("auth"):
        assert PART.get() == "auth"
    assert PART.get() == before
