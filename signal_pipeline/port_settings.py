"""The ports of every part: one setting each, and one that moves them all."""

from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings

from signal_pipeline.topology import role_named

__all__ = ["PortSettings"]

Port = Annotated[int, Field(ge=1, le=65_535)]
# Kubernetes tells a pod of every Service `postgres` beside it as POSTGRES_PORT=tcp://10.0.0.5:5432.
_SERVICE_LINK = ("tcp://", "udp://", "sctp://")


class PortSettings(BaseSettings):
    """Where everything listens; a port that is not given has its default, moved by `port_offset`."""

    port_offset: int = Field(0, ge=0, le=50_000, description="added to every default port: a second pipeline beside")
    kafka_port: Port = Field(9092, description="Kafka")
    kafka_controller_port: Port = Field(9093, description="Kafka's KRaft controller")
    postgres_port: Port = Field(5432, description="PostgreSQL")
    redis_port: Port = Field(6379, description="Redis")
    connect_port: Port = Field(8083, description="Kafka Connect REST, where Debezium runs")
    prometheus_port: Port = Field(9090, description="Prometheus")
    grafana_port: Port = Field(3000, description="Grafana")
    gateway_port: Port = Field(8080, description="gateway")

    kafka_connector_port: Port = Field(8030, description="metrics and health of kafka-connector")

    emit_port: Port = Field(8001, description="HTTP of emit")
    emit_metrics_port: Port = Field(8011, description="metrics of emit and its trigger")
    emit_trigger_port: Port = Field(8021, description="metrics of the trigger of emit alone")
    process_signal_port: Port = Field(8002, description="HTTP of process-signal")
    process_signal_metrics_port: Port = Field(8012, description="metrics of process-signal and its trigger")
    process_signal_trigger_port: Port = Field(8022, description="metrics of the trigger of process-signal alone")
    detect_anomaly_port: Port = Field(8003, description="HTTP of detect-anomaly")
    detect_anomaly_metrics_port: Port = Field(8013, description="metrics of detect-anomaly and its trigger")
    detect_anomaly_trigger_port: Port = Field(8023, description="metrics of the trigger of detect-anomaly alone")
    auth_port: Port = Field(8004, description="HTTP of auth")
    auth_metrics_port: Port = Field(8014, description="metrics of auth and its trigger")
    replay_dlq_port: Port = Field(8005, description="HTTP of replay-dlq")
    replay_dlq_metrics_port: Port = Field(8015, description="metrics of replay-dlq and its trigger")
    replay_dlq_trigger_port: Port = Field(8025, description="metrics of the trigger of replay-dlq alone")
    confirm_outbox_port: Port = Field(8006, description="HTTP of confirm-outbox")
    confirm_outbox_metrics_port: Port = Field(8016, description="metrics of confirm-outbox and its trigger")
    confirm_outbox_trigger_port: Port = Field(8026, description="metrics of the trigger of confirm-outbox alone")

    def port(self, role: str) -> int:
        """Return the HTTP port of a role; `LookupError` when there is no such role."""
        return int(getattr(self, f"{role_named(role).target}_port"))

    def metrics_port(self, role: str) -> int:
        """Return the port of a role's one metrics page; `LookupError` when there is no such role."""
        return int(getattr(self, f"{role_named(role).target}_metrics_port"))

    def trigger_port(self, role: str) -> int | None:
        """Return the port of the trigger's own metrics page; None for a role without a trigger."""
        found = role_named(role)
        return None if found.trigger_port is None else int(getattr(self, f"{found.target}_trigger_port"))

    @model_validator(mode="before")
    @classmethod
    def _shift_default_ports(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in the ports that are not given; a Service link of Kubernetes, which nobody set, gives none."""
        given = str(values.get("port_offset") or 0)
        offset = int(given) if given.isascii() and given.isdigit() else 0  # the field itself refuses what is no number
        for name, field in cls.model_fields.items():
            if name.endswith("_port") and (name not in values or str(values[name]).startswith(_SERVICE_LINK)):
                values[name] = field.default + offset
        return values
