"""What may be deployed as a variable of a function here."""

import pytest
from pydantic import SecretStr

from local.gateway.environment import NotDeployable, sorted_out
from signal_pipeline.settings import Settings


def test_settings_of_behaviour_are_applied() -> None:
    """The process gets them as they are."""
    variables = {"LOG_LEVEL": "debug", "BATCH_SIZE": "7"}
    assert sorted_out(variables) == (variables, ())


def test_what_a_cluster_decides_is_left_to_this_machine() -> None:
    """A stack.yml that is written for a cluster can be deployed: its addresses there are remembered, not used."""
    cluster = {
        "ROLE": "emit", "PORT": "8080", "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "BIND_ADDRESS": "0.0.0.0",
        "DATABASE_URL_FILE": "/var/openfaas/secrets/database-url", "REDIS_URL": "redis://redis", "fprocess": "python",
        "ENVIRONMENT": "production", "SECURITY": "off", "TRUSTED_PROXIES": "0.0.0.0/0", "exec_timeout": "30s",
    }  # fmt: skip
    assert sorted_out({**cluster, "LOG_LEVEL": "info"}) == ({"LOG_LEVEL": "info"}, tuple(sorted(cluster)))


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name.endswith("_port")])
def test_no_port_is_moved(name: str) -> None:
    """A function that listened elsewhere, or on another's port, would leave the pipeline."""
    with pytest.raises(NotDeployable, match=f"{name.upper()} belongs to the whole pipeline"):
        sorted_out({name.upper(): "8001"})


@pytest.mark.parametrize("name", ["STATE_DIR", "PORT_OFFSET"])
def test_the_pipelines_own_place_is_not_moved(name: str) -> None:
    """Folders and ports belong to all parts together."""
    with pytest.raises(NotDeployable, match="belongs to the whole pipeline"):
        sorted_out({name: "1"})


@pytest.mark.parametrize("name", [n for n, field in Settings.model_fields.items() if field.annotation is SecretStr])
def test_no_secret_is_taken(name: str) -> None:
    """What is deployed is written down and shown to whoever lists; the refusal does not repeat the value."""
    with pytest.raises(NotDeployable, match=f"{name.upper()} is a secret") as caught:
        sorted_out({name.upper(): "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PATH",
        "HOME",
        "pythonpath",
        "OPENSSL_CONF",
        "PGSSLMODE",
        "https_proxy",
    ],
)
def test_no_other_program_is_run(name: str) -> None:
    """What is deployed changes how our program behaves, not which one it is."""
    with pytest.raises(NotDeployable, match="decides which program runs"):
        sorted_out({name: "x"})


@pytest.mark.parametrize("name", ["", "LOG LEVEL", "A=B", "1ST", "\u00fcber"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """No environment can hold it."""
    with pytest.raises(NotDeployable, match="no name of a variable"):
        sorted_out({name: "x"})


def test_anything_else_is_passed_on() -> None:
    """A function may read what its owner likes."""
    assert sorted_out({"FEATURE_X": "1", "log_level": "debug"}) == ({"FEATURE_X": "1", "log_level": "debug"}, ())


@pytest.mark.parametrize("name", ["jwt_secret_key", "emit_port", "state_dir", "Kafka_Bootstrap_Servers"])
def test_case_is_no_way_around(name: str) -> None:
    """Settings are read without regard to case, so they are guarded without it."""
    try:
        applied, _ = sorted_out({name: "x"})
    except NotDeployable:
        return
    assert applied == {}


def test_a_value_that_the_setting_cannot_have_is_refused() -> None:
    """The function would not start; the message names the variable and not the value."""
    with pytest.raises(NotDeployable, match="BATCH_SIZE") as caught:
        sorted_out({"BATCH_SIZE": "many"})
    assert "many" not in str(caught.value)
    with pytest.raises(NotDeployable, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        sorted_out({"OTEL_EXPORTER_OTLP_ENDPOINT": "a\0b"})
