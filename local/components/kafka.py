"""Kafka as one KRaft node, and Kafka Connect with Debezium, from the jars that local/install.sh downloads."""

import base64
import subprocess
import uuid

from local.components.jvm import class_data, java
from local.layout import Layout
from local.probes import http_probe, kafka_probe
from local.render import write
from local.service import Service, Unusable
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
        probe=kafka_probe(f"127.0.0.1:{port}"),
        prepare=lambda: _prepare_kafka(settings, layout),
        ports={"KAFKA_PORT": port, "KAFKA_CONTROLLER_PORT": settings.kafka_controller_port},
        url=f"127.0.0.1:{port}",
        stop_seconds=_STOP_SECONDS,
    )


def connect(settings: Settings, layout: Layout) -> Service:
    """Return the Connect worker; `Unusable` when Java or the jars are missing."""
    port = settings.connect_port
    return Service(
        name="connect",
        argv=(
            *java(layout, *CONNECT_JVM, class_data(layout, "connect")),
            "org.apache.kafka.connect.cli.ConnectDistributed",
            str(layout.config / "connect.properties"),
        ),
        needs=("kafka",),
        probe=http_probe(f"http://127.0.0.1:{port}/health"),
        prepare=lambda: _prepare_connect(settings, layout),
        ports={"CONNECT_PORT": port},
        url=f"http://127.0.0.1:{port}",
        stop_seconds=_STOP_SECONDS,
    )


def _prepare_kafka(settings: Settings, layout: Layout) -> None:
    data = layout.data / "kafka"
    data.mkdir(parents=True, exist_ok=True)
    write("log4j2.properties", layout.config)
    properties = write(
        "kafka.properties",
        layout.config,
        listeners=f"PLAINTEXT://127.0.0.1:{settings.kafka_port}",
        advertised_listeners=f"PLAINTEXT://127.0.0.1:{settings.kafka_port}",
        controller_port=settings.kafka_controller_port,
        data=data,
    )
    if not (data / "meta.properties").exists():
        tool = ("kafka.tools.StorageTool", "format", "--cluster-id", _cluster_id(), "--config", str(properties))
        done = subprocess.run(
            [*java(layout, "-XX:TieredStopAtLevel=1"), *tool], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise Unusable(f"Kafka's storage cannot be formatted: {done.stderr.strip() or done.stdout.strip()}")


def _prepare_connect(settings: Settings, layout: Layout) -> None:
    write(
        "connect.properties",
        layout.config,
        bootstrap_servers=f"127.0.0.1:{settings.kafka_port}",
        listener=f"http://127.0.0.1:{settings.connect_port}",
        advertised_host="127.0.0.1",
        plugins=layout.lib / "plugins",
    )


def _cluster_id() -> str:
    """Return a random cluster id: 16 bytes in URL-safe base64, as Kafka writes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "0")
