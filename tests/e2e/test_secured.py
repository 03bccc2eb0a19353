"""A secured pipeline does all that an open one does, and nobody reaches a part of it without TLS and credentials."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from signal_pipeline.topology import ROLES
from tests.checker.model import RawRecord
from tests.support.faas_client import FaasClient
from tests.support.metrics import topic_end
from tests.support.pipeline import Pipeline, own_pipeline
from tests.support.secured import STRANGERS, client_of, get, posted, read_in_group, written
from tests.support.sender import Sender, events

_SECONDS = 10.0
_COMMANDS = ["load", "verify", "doctor", "figures", "db-stats", "outbox-status", "kafka-topics", "connector"]
_COMMANDS += ["dlq-status", "dlq-stats", "dlq-metrics", "dlq ls", "maintain", "access audit", "outbox republish"]


@pytest.fixture(scope="module")
def secured() -> Iterator[Pipeline]:
    """A pipeline of its own that was started by `up --secure`."""
    own = own_pipeline("secured", SIGNALS_PER_SECOND="0", OTEL_EXPORTER_OTLP_ENDPOINT="")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", "")  # `up` sets it; afterwards it is as it was
        try:
            own.up(secured=True)
            yield own
        finally:
            own.local("clean")


@pytest.fixture
async def secured_sender(secured: Pipeline, tmp_path: Path) -> AsyncIterator[Sender]:
    """A sender with an empty ledger."""
    async with Sender(secured.settings, tmp_path / "ledger.jsonl") as opened:
        yield opened


async def test_signals_flow_from_end_to_end(secured: Pipeline, secured_sender: Sender) -> None:
    """Every hop works with the rights of its own part: emit, Kafka, triggers, functions, PostgreSQL, Debezium."""
    sent = events(1000, secured_sender.source)
    await secured_sender.post_all(sent[start : start + 100] for start in range(0, 1000, 100))
    report = await asyncio.to_thread(secured.check, secured_sender.sent())
    assert report.sound, str(report)
    assert report.checked("I1") == 1000
    assert report.checked("I8") > 20


async def test_dead_letters_travel_too(secured: Pipeline, secured_sender: Sender) -> None:
    """Poison is dead-lettered, recorded and quarantined by users that may do just that."""
    secured_sender.produce("signal-events", [(RawRecord(key=None, value=b"\xff", headers=()), None)])
    report = await asyncio.to_thread(secured.check, secured_sender.sent())
    assert report.sound, str(report)
    assert report.checked("I9") > 0


@pytest.mark.parametrize("command", _COMMANDS)
def test_commands_follow_by_themselves(secured: Pipeline, command: str) -> None:
    """A command that is told nothing but the state folder finds addresses, authority and credentials."""
    done = secured.run("-m", "signal_pipeline", *command.split())
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_stays_secured(secured: Pipeline) -> None:
    """`up` without the word finds it running, changes nothing and leaves the secrets as they are."""
    before = (secured.secure / "secrets.json").read_bytes()
    assert "it runs already" in secured.local("up")
    assert (secured.secure / "secrets.json").read_bytes() == before
    secured.local("health")


def test_the_gateway_speaks_tls_and_knows_admin_alone(secured: Pipeline) -> None:
    """Without the generated password nothing is shown or changed; functions behind it ask for themselves."""
    strangers = [FaasClient.of(secured, password=password) for password in ("", "admin", "wrong")]
    assert {status for each in strangers for status in (each.list().status, each.remove("auth").status)} == {401}
    admin = FaasClient.of(secured)
    names = [each["name"] for each in admin.list().json if each["name"] != "auth"]
    assert [admin.invoke(name, b"{}").status for name in names] == [401] * 5


# -- Kafka, row 42 of the abuse matrix --


@pytest.mark.parametrize("login", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_does_not_reach_the_broker(secured: Pipeline, login: dict[str, str]) -> None:
    """Without TLS, without a login or with a wrong one a client learns nothing and writes nothing."""
    end = topic_end(secured.settings, "signal-events")
    address = {"bootstrap.servers": secured.bootstrap, "ssl.ca.location": str(secured.secure / "ca.pem")}
    client = {**address, **login, "log_level": 0}
    with pytest.raises(KafkaException):
        AdminClient(client).list_topics(timeout=1.5)
    assert written({**client, "message.timeout.ms": 1500}, "signal-events") is not None
    assert topic_end(secured.settings, "signal-events") == end


@pytest.mark.parametrize(
    ("part", "topic"),
    [
        ("process-signal-trigger", "signal-events"),
        ("process-signal-trigger", "anomaly-events"),
        ("detect-anomaly-trigger", "signal-events"),
        ("detect-anomaly-trigger", "signal-events-quarantine"),
        ("confirm-outbox-trigger", "signal-events-dlq"),
        ("replay-dlq-trigger", "signal-events"),
        ("emit", "signal-events-dlq"),
        ("emit", "anomaly-events"),
        ("operator", "signal-events"),
        ("connect", "signal-events"),
    ],
)
def test_a_part_cannot_write_to_a_topic_that_is_not_its_own(secured: Pipeline, part: str, topic: str) -> None:
    """The broker refuses the record, whoever sends it with valid credentials of another job; nothing is stored."""
    end = topic_end(secured.settings, topic)
    error = written({**client_of(secured, part), "log_level": 0}, topic)
    assert error is not None
    assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert topic_end(secured.settings, topic) == end


def test_a_part_can_write_to_its_own(secured: Pipeline) -> None:
    """What the tests above see refused is not refused for another reason."""
    assert written({**client_of(secured, "connect"), "enable.idempotence": True}, "connect-offsets") is None


@pytest.mark.parametrize(
    ("part", "topic", "group"),
    [
        ("emit", "signal-events", "process-signal"),
        ("process-signal-trigger", "signal-events", "detect-anomaly"),
        ("confirm-outbox-trigger", "signal-events", "confirm-outbox"),
        ("replay-dlq", "signal-events", "replay-dlq"),
    ],
)
def test_a_part_cannot_read_what_is_not_its_own(secured: Pipeline, part: str, topic: str, group: str) -> None:
    """Neither another topic nor in another one's group, whose offsets it could move."""
    consumer = Consumer({**client_of(secured, part), "group.id": group, "log_level": 0})
    try:
        with pytest.raises(KafkaException) as refused:
            read_in_group(consumer, topic)
        denied = {KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED}
        assert refused.value.args[0].code() in denied
    finally:
        consumer.close()


@pytest.mark.parametrize("part", ["emit", "operator", "process-signal-trigger"])
def test_only_the_administrator_changes_topics(secured: Pipeline, part: str) -> None:
    """A part can neither make a topic nor delete one."""
    admin = AdminClient({**client_of(secured, part), "log_level": 0})
    (made,) = admin.create_topics([NewTopic("intruder", 1, 1)]).values()
    (deleted,) = admin.delete_topics(["signal-events"]).values()
    for future in (made, deleted):
        with pytest.raises(KafkaException) as refused:
            future.result(_SECONDS)
        assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


# -- PostgreSQL, row 43 --


def test_the_database_speaks_tls_only(secured: Pipeline) -> None:
    """A client without TLS is refused before it can send its password; one of another authority refuses the server."""
    url = secured.database_url.partition("?")[0]
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"{url}?sslmode=disable")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(f"{url}?sslmode=verify-full&sslrootcert={secured.secure / 'client.pem'}")


def test_a_wrong_password_is_refused(secured: Pipeline) -> None:
    """No address and no login is trusted without one."""
    for login in ("postgres", "process_signal"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(secured.database_url, user=login, password="wrong")


def test_debezium_may_not_copy_the_cluster(secured: Pipeline) -> None:
    """Its login reads the log of one database; a connection for copies of everything is the owner's alone."""
    password = json.loads((secured.secure / "secrets.json").read_text())["database"]["debezium"]
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry for replication"):
        psycopg.connect(secured.database_url, user="debezium", password=password, replication="true")


def test_each_part_is_itself_in_the_database(secured: Pipeline) -> None:
    """Every session is encrypted and of the login of its own part; nobody works as the owner."""
    with psycopg.connect(secured.database_url) as connection:
        rows = connection.execute(
            "SELECT application_name, usename, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) "
            "WHERE usename IS NOT NULL AND pid <> pg_backend_pid()"
        ).fetchall()
    users = {name: user for name, user, _ in rows}
    assert all(encrypted for _, _, encrypted in rows)
    for role in ("process-signal", "detect-anomaly", "confirm-outbox", "replay-dlq", "auth"):
        assert users[role] == role.replace("-", "_")
    assert {user for name, user in users.items() if name.startswith("Debezium")} == {"debezium"}
    assert "postgres" not in users.values()


# -- Redis, Connect, functions --


def test_redis_wants_tls_and_a_password(secured: Pipeline) -> None:
    """Neither is enough by itself."""
    settings = secured.settings
    password = settings.redis_password.get_secret_value()
    with pytest.raises(redis.exceptions.ConnectionError):
        redis.Redis(port=settings.redis_port, password=password, socket_timeout=_SECONDS).ping()
    authority = str(secured.secure / "ca.pem")
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.from_url(settings.redis_url, ssl_ca_certs=authority).ping()
    assert redis.from_url(settings.redis_url, ssl_ca_certs=authority, password=password).ping()


def test_connect_wants_a_certificate_and_shows_no_secret(secured: Pipeline) -> None:
    """Whoever reaches Connect's API can read files and run code there: it serves nobody without our certificate."""
    url = f"{secured.settings.connect_url}/connectors/outbox-connector/config"
    context = ssl.create_default_context(cafile=str(secured.secure / "ca.pem"))
    with pytest.raises(OSError):  # noqa: PT011 - the handshake fails in several ways, all of them of the connection
        get(url, context)
    context.load_cert_chain(secured.secure / "client.pem", secured.secure / "client-key.pem")
    with get(url, context) as answer:
        told = answer.read().decode()
    secrets = json.loads((secured.secure / "secrets.json").read_text())
    assert json.loads(told)["database.password"].startswith("${file:")
    assert secrets["database"]["debezium"] not in told


@pytest.mark.parametrize("role", [role.name for role in ROLES])
def test_a_function_answers_only_https(secured: Pipeline, role: str) -> None:
    """Its certificate is of the authority; plain HTTP on the same port gets no answer."""
    url = f"{secured.settings.function_url(role)}/health"
    assert url.startswith("https://")
    context = ssl.create_default_context(cafile=str(secured.secure / "ca.pem"))
    with get(url, context) as answer:
        assert answer.status == 200
    with pytest.raises(OSError):  # noqa: PT011 - cut off before a status line
        get(url.replace("https:", "http:"), None)


@pytest.mark.parametrize("setting", ["kafka_port", "kafka_controller_port", "postgres_port", "redis_port"])
def test_a_plain_connection_gets_no_greeting(secured: Pipeline, setting: str) -> None:
    """What is not TLS is answered by nothing, or by an error and the end."""
    with socket.create_connection(("127.0.0.1", getattr(secured.settings, setting)), timeout=_SECONDS) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with suppress(ConnectionError):
            assert b"HTTP/1" not in plain.recv(1024)


def test_the_controller_takes_the_brokers_certificate_only(secured: Pipeline) -> None:
    """Who reached the controller could change every topic, user and right."""
    address = ("127.0.0.1", secured.settings.kafka_controller_port)
    context = ssl.create_default_context(cafile=str(secured.secure / "ca.pem"))
    with (
        socket.create_connection(address, timeout=_SECONDS) as plain,
        pytest.raises(ssl.SSLError, match="ALERT"),
        context.wrap_socket(plain, server_hostname="127.0.0.1") as own,
    ):
        own.recv(1)  # TLS 1.3 tells a refused certificate at the first read


@pytest.mark.parametrize("role", [role.name for role in ROLES if role.name != "auth"])
def test_a_function_refuses_a_call_without_a_credential(secured: Pipeline, role: str) -> None:
    """Row 1: TLS alone opens nothing; nor does the key of clients at a function that only its trigger calls."""
    settings = secured.settings
    tries = [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer x.y.z"}]
    if role != "emit":
        tries.append({"x-api-key": settings.emit_api_keys[0]})
    for headers in tries:
        assert posted(secured, f"{settings.function_url(role)}/", headers) in {401, 403}, headers


# -- secrets --


def test_no_secret_stands_where_others_look(secured: Pipeline) -> None:
    """Arguments and environments of processes, and all logs, are without a secret; the files are their owner's only."""
    kept = json.loads((secured.secure / "secrets.json").read_text())
    secrets = [*kept["shared"].values(), *kept["database"].values(), *kept["kafka"].values(), kept["keystore"]]
    assert len(secrets) > 15
    shown = {log.name: log.read_bytes() for log in (secured.state / "logs").iterdir()}
    for name, pid in secured.pids().items():
        for what in ("cmdline", "environ"):
            file = Path(f"/proc/{pid}/{what}")
            shown[f"{what} of {name}"] = file.read_bytes() if file.exists() else b""
    assert [where for where, text in shown.items() if any(each.encode() in text for each in secrets)] == []
    public = {file.name for file in secured.secure.iterdir() if file.stat().st_mode & 0o077}
    assert public == {"ca.pem", "server.pem", "client.pem", "kafka.pem"}
    assert (secured.state / "data" / "kafka").stat().st_mode & 0o077 == 0
    assert secured.secure.stat().st_mode & 0o077 == 0
