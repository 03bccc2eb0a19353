"""Kafka as one KRaft node, and Kafka Connect with Debezium, from the jars that local/install.sh downloads."""

import base64
import subprocess
import uuid
from pathlib import Path

from local.components.jvm import class_data, java
from local.layout import Layout
from local.probes import http_probe, kafka_probe
from local.render import write
from local.secure.settings_files import broker_protocol, broker_security, connect_security
from local.secure.state import is_secured, read_secrets
from local.service import Service, Unusable
from signal_pipeline.broker.access import ADMINISTRATOR
from signal_pipeline.broker.config import client_config
from signal_pipeline.security.authority import write_private
from signal_pipeline.settings import Settings

__all__ = ["CONNECT_JVM", "KAFKA_JVM", "connect", "kafka"]

# SerialGC needs the least memory and start-up on a small machine; a heap that is full ends the process and it restarts.
_JVM = ("-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true")
KAFKA_JVM = ("-Xms256m", "-Xmx512m", *_JVM)
CONNECT_JVM = ("-Xms128m", "-Xmx384m", *_JVM)
_STOP_SECONDS = 60.0  # the first end also writes the class data archive


def kafka(settings: Settings, layout: Layout) -> Service:
    """Return the broker; `Unusable` when Java or the jars are missing."""
    port = settings.kafka_port
    return Service(
        name="kafka",
        argv=(
            *java(layout, *KAFKA_JVM, class_data(layout, "kafka")),
            "kafka.Kafka",
            str(layout.config / "kafka.properties"),
        ),
        probe=kafka_probe({**client_config(settings), "bootstrap.servers": f"127.0.0.1:{port}"}),
        prepare=lambda: _prepare_kafka(settings, layout),
        ports={"KAFKA_PORT": port, "KAFKA_CONTROLLER_PORT": settings.kafka_controller_port},
        url=f"127.0.0.1:{port}",
        stop_seconds=_STOP_SECONDS,
    )


def connect(settings: Settings, layout: Layout) -> Service:
    """Return the Connect worker; `Unusable` when Java or the jars are missing."""
    port = settings.connect_port
    url = _connect_url(settings, layout)
    return Service(
        name="connect",
        argv=(
            *java(layout, *CONNECT_JVM, class_data(layout, "connect")),
            "org.apache.kafka.connect.cli.ConnectDistributed",
            str(layout.config / "connect.properties"),
        ),
        # The user that it is on a secured broker is made together with the topics.
        needs=("kafka", "topics") if is_secured(layout) else ("kafka",),
        probe=http_probe(f"{url}/health", settings),
        prepare=lambda: _prepare_connect(settings, layout),
        ports={"CONNECT_PORT": port},
        url=url,
        stop_seconds=_STOP_SECONDS,
    )


def _prepare_kafka(settings: Settings, layout: Layout) -> None:
    data = layout.data / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)  # events and verifiers of passwords: the broker's umask would let everybody on the machine read
    write("log4j2.properties", layout.config)
    listener = f"{broker_protocol(layout)}://127.0.0.1:{settings.kafka_port}"
    properties = write(
        "kafka.properties",
        layout.config,
        listeners=listener,
        advertised_listeners=listener,
        controller_port=settings.kafka_controller_port,
        security=broker_security(layout),
        data=data,
    )
    if not (data / "meta.properties").exists():
        _format(layout, properties)


def _format(layout: Layout, properties: Path) -> None:
    """Format the broker's storage; the administrator of a secured one is in it from the first moment."""
    tool = ["kafka.tools.StorageTool", "format", "--cluster-id", _cluster_id(), "--config", str(properties)]
    if is_secured(layout):
        password = read_secrets(layout).kafka[ADMINISTRATOR]
        tool += ["--add-scram", f"SCRAM-SHA-512=[name={ADMINISTRATOR},password={password}]"]
    program, *options = java(layout, "-XX:TieredStopAtLevel=1")
    # A file, because every user of the machine can read the arguments of a process.
    arguments = layout.config / "format.arguments"
    try:
        write_private(arguments, "\n".join(f'"{each}"' for each in (*options, *tool)).encode())
        done = subprocess.run([program, f"@{arguments}"], capture_output=True, text=True, check=False)
    finally:
        arguments.unlink(missing_ok=True)
    if done.returncode != 0:
        raise Unusable(f"Kafka's storage cannot be formatted: {done.stderr.strip() or done.stdout.strip()}")


def _prepare_connect(settings: Settings, layout: Layout) -> None:
    write(
        "connect.properties",
        layout.config,
        bootstrap_servers=f"127.0.0.1:{settings.kafka_port}",
        listener=_connect_url(settings, layout),
        advertised_host="127.0.0.1",
        plugins=layout.lib / "plugins",
        security=connect_security(layout),
    )


def _connect_url(settings: Settings, layout: Layout) -> str:
    return f"{'https' if is_secured(layout) else 'http'}://127.0.0.1:{settings.connect_port}"


def _cluster_id() -> str:
    """Return a random cluster id: 16 bytes in URL-safe base64, as Kafka writes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "0")
