"""Which connections production takes, and by what clients and servers are protected."""

import pytest
from pydantic import ValidationError

from signal_pipeline.broker.config import client_config, consumer_config, producer_config
from signal_pipeline.settings import Settings

STRONG = {
    name: f"{name}-of-at-least-32-characters-and-no-default"
    for name in ("jwt_secret_key", "redis_password", "emit_api_key", "service_api_key", "auth_admin_password")
}
LOGIN = {"kafka_username": "emit", "kafka_password": "of-kafka"}
OPEN = {
    "KAFKA_BOOTSTRAP_SERVERS": ["broker.example:9092", "127.0.0.1:9092,10.0.0.7:9092", "[2001:db8::1]:9092"],
    "DATABASE_URL": [
        "postgresql://u:hidden@db.example/x",
        "postgresql://u:hidden@db.example/x?sslmode=prefer",
        "postgresql://u:hidden@127.0.0.1:5432,db.example:5432/x",
    ],
    "REDIS_URL": ["redis://cache.example:6379/0"],
}
PROTECTED = {
    "KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:9092", "localhost:9092,[::1]:9093"],
    "DATABASE_URL": [
        "postgresql://u:p@db.example/x?sslmode=verify-full",
        "postgresql://u:p@db.example/x?sslmode=require",
        "postgresql://u:p@127.0.0.1/x",
        "postgresql:///x",
    ],
    "REDIS_URL": ["rediss://cache.example:6379/0", "redis://localhost:6379/0", "unix:///run/redis.sock"],
}


def production(**changes: object) -> Settings:
    """Return sound settings of production with these changes."""
    return Settings(_env_file=None, environment="production", **STRONG, **changes)  # type: ignore[arg-type]


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    """List the pairs of variable and value."""
    return [(variable, value) for variable, values in table.items() for value in values]


@pytest.mark.parametrize(("variable", "address"), pairs(OPEN))
def test_production_takes_no_open_connection_to_another_machine(variable: str, address: str) -> None:
    """The variable and the remedy are named, the address is not; a switch allows it, and development needs none."""
    with pytest.raises(ValidationError) as refused:
        production(**{variable.lower(): address})
    assert f"{variable} (set " in str(refused.value)
    assert "ALLOW_PLAINTEXT=true" in str(refused.value)
    assert address not in str(refused.value)
    assert "hidden" not in str(refused.value)
    production(**{variable.lower(): address}, allow_plaintext=True)
    Settings(_env_file=None, **{variable.lower(): address})  # type: ignore[arg-type]


@pytest.mark.parametrize(("variable", "address"), pairs(PROTECTED))
def test_production_takes_what_is_protected_or_does_not_leave_the_machine(variable: str, address: str) -> None:
    """TLS to anywhere, and anything on this machine."""
    production(**{variable.lower(): address})


def test_a_password_without_encryption_is_open_too() -> None:
    """SASL_PLAINTEXT hides the password and nothing else."""
    remote = {"kafka_bootstrap_servers": "broker.example:9092", **LOGIN}
    with pytest.raises(ValidationError, match="KAFKA_BOOTSTRAP_SERVERS"):
        production(**remote, kafka_security_protocol="SASL_PLAINTEXT")
    production(**remote, kafka_security_protocol="SASL_SSL")


@pytest.mark.parametrize("login", [{}, {"kafka_username": "emit"}, {"kafka_password": "of-kafka"}])
def test_half_a_login_is_refused(login: dict[str, str]) -> None:
    """The broker would refuse it for a reason that no client tells."""
    with pytest.raises(ValidationError, match="needs KAFKA_USERNAME and KAFKA_PASSWORD"):
        Settings(_env_file=None, kafka_security_protocol="SASL_SSL", **login)  # type: ignore[arg-type]


def test_client_certificates_need_tls() -> None:
    """A function without a certificate of its own speaks HTTP, and would let everybody in."""
    with pytest.raises(ValidationError, match="TLS_CLIENT_CA_FILE needs TLS_CERT_FILE"):
        Settings(_env_file=None, tls_client_ca_file="ca.pem")


def test_the_authority_reaches_the_database_where_it_is_to_be_verified() -> None:
    """Without it libpq would look for an authority in the home folder; another one that the address names stays."""

    def url(address: str) -> str:
        return Settings(_env_file=None, tls_ca_file="/ca.pem", database_url=address).database_url.get_secret_value()  # type: ignore[arg-type]

    assert url("postgresql://db/x?sslmode=verify-full") == "postgresql://db/x?sslmode=verify-full&sslrootcert=/ca.pem"
    for address in ("postgresql://db/x", "postgresql://db/x?sslmode=verify-ca&sslrootcert=/own.pem"):
        assert url(address) == address


def test_all_kafka_clients_log_in_the_same_way() -> None:
    """Producer, consumer and everything else get protocol, authority and login from one function."""
    settings = Settings(_env_file=None, kafka_security_protocol="SASL_SSL", tls_ca_file="/ca.pem", **LOGIN)  # type: ignore[arg-type]
    wanted = {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": "/ca.pem",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "emit",
        "sasl.password": "of-kafka",
    }
    assert client_config(settings) == wanted
    consumer = consumer_config(settings, group="g", offset_reset="earliest", protocol="classic")
    for config in (producer_config(settings), consumer):
        assert wanted.items() <= config.items()


def test_an_open_broker_gets_nothing_but_its_address() -> None:
    """Without a protocol nothing of TLS or of a login is set, whatever else is."""
    settings = Settings(_env_file=None, tls_ca_file="/ca.pem", **LOGIN)  # type: ignore[arg-type]
    assert client_config(settings) == {"bootstrap.servers": "127.0.0.1:9092"}
