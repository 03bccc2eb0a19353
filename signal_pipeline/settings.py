"""Every setting of the product, read once from the environment (or `.env`), validated, documented in one table."""

from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from signal_pipeline.port_settings import PortSettings
from signal_pipeline.secret_files import SecretFileSource
from signal_pipeline.secret_strength import DEVELOPMENT_SECRETS, SHORTEST_SECRET, is_weak, several
from signal_pipeline.secured_state import SecuredStateSource
from signal_pipeline.topology import ROLES, role_named
from signal_pipeline.transport import refuse_open_connections, with_authority

__all__ = ["Settings", "load_settings"]


class Settings(PortSettings):
    """The product's settings; a field `kafka_port` is the variable `KAFKA_PORT`.

    A secret, such as `JWT_SECRET_KEY`, may stand in a file that `JWT_SECRET_KEY_FILE` names.

    Raises:
        ConfigurationError: the file of a secret cannot be read.
        pydantic.ValidationError: a value is malformed, or, with `ENVIRONMENT=production`, a secret is a development
            default, empty or short. The message names the variable and never its value.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )

    environment: Literal["development", "production"] = Field("development", description="production refuses defaults")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    build: str = Field("", description="commit of the running code, for metrics; an image is built with it")
    otel_exporter_otlp_endpoint: str = Field("", description="OTLP/HTTP collector of spans; needs the extra otel")
    state_dir: Path = Field(Path(".local"), description="data, logs and process ids of the local run")
    bind_address: str = Field("127.0.0.1", description="where functions and triggers listen; components use 127.0.0.1")

    metrics_bind_address: str = Field("", description="where metrics pages listen; default: BIND_ADDRESS")

    function_url_emit: str = Field("", description="address of emit; default: its local port")
    function_url_process_signal: str = Field("", description="address of process-signal; default: its local port")
    function_url_detect_anomaly: str = Field("", description="address of detect-anomaly; default: its local port")
    function_url_auth: str = Field("", description="address of auth; default: its local port")
    function_url_replay_dlq: str = Field("", description="address of replay-dlq; default: its local port")
    function_url_confirm_outbox: str = Field("", description="address of confirm-outbox; default: its local port")

    openfaas_url: str = Field("", description="OpenFaaS gateway of kafka-connector; default: 127.0.0.1, GATEWAY_PORT")
    openfaas_username: str = Field("", description="user at the gateway; without one no login is sent")
    openfaas_password: SecretStr = Field(SecretStr(""), description="its password")
    openfaas_refresh_seconds: float = Field(
        5.0, gt=0, le=3600, description="seconds after which kafka-connector asks for the functions again"
    )
    k_sink: str = Field(
        "", description="address of a trigger's function, as Knative injects it; goes before FUNCTION_URL_…"
    )

    kafka_bootstrap_servers: str = Field("", description="default: 127.0.0.1 and KAFKA_PORT")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how clients speak to Kafka: SASL_SSL is encrypted, with a password"
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="how the password is proved, with a SASL protocol"
    )
    kafka_username: str = Field("", description="Kafka user, with a SASL protocol")
    kafka_password: SecretStr = Field(SecretStr(""), description="its password")
    kafka_users_file: str = Field(
        "", description="passwords of Kafka users, lines of user=password: topics then makes users and their rights"
    )
    database_url: SecretStr = Field(SecretStr(""), description="default: database eventpipeline at POSTGRES_PORT")
    database_logins_file: str = Field(
        "", description="passwords of database logins, lines of login=password: migrate then makes the logins"
    )
    redis_url: str = Field(
        "",
        description="default: 127.0.0.1 and REDIS_PORT; the password is REDIS_PASSWORD; none, each process limits for "
        "itself: -",
    )
    connect_url: str = Field("", description="default: 127.0.0.1 and CONNECT_PORT")
    connector_secrets_file: str = Field(
        "", description="properties on Connect's machine with user and password of Debezium's login"
    )

    signals_per_second: int = Field(1000, ge=0, le=1_000_000, description="steady emission; 0 emits nothing")
    batch_size: int = Field(100, ge=1, le=10_000, description="signals per request of the steady emission")
    enabled_rules: str = Field("", description="comma-separated anomaly rules; empty enables all")

    security: Literal["auto", "on", "off"] = Field(
        "auto",
        description="whether functions ask every caller for a credential; auto: in production. /emit, /replay, "
        "/dead-letters and /jobs always do",
    )
    jwt_secret_key: SecretStr = Field(SecretStr(DEVELOPMENT_SECRETS["jwt_secret_key"]), description="signs tokens")
    jwt_previous_secret_keys: SecretStr = Field(
        SecretStr(""), description="keys whose tokens are still taken, separated by commas: the overlap of a rotation"
    )
    redis_password: SecretStr = Field(SecretStr(DEVELOPMENT_SECRETS["redis_password"]), description="Redis password")
    emit_api_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRETS["emit_api_key"]),
        description="X-API-Key of /emit; several, separated by commas, are all taken, and our commands send the first",
    )
    service_api_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRETS["service_api_key"]),
        description="X-API-Key of the triggers at the functions; several, separated by commas, are all taken, and the "
        "first is sent",
    )
    auth_admin_password: SecretStr = Field(
        SecretStr(DEVELOPMENT_SECRETS["auth_admin_password"]), description="password of the user admin"
    )

    gateway_password: SecretStr = Field(
        SecretStr(""), description="password of admin at the local gateway's /system; empty: this machine only, unasked"
    )

    tls_cert_file: str = Field("", description="certificate and its chain, PEM: functions then serve HTTPS")
    tls_key_file: str = Field("", description="private key of the certificate, PEM")
    tls_ca_file: str = Field("", description="authority that clients trust, alone, PEM; empty: the system's")
    tls_client_ca_file: str = Field("", description="authority of client certificates: functions then demand one")
    allow_plaintext: bool = Field(False, description="take unencrypted connections to other machines in production")

    cors_origins: str = Field("", description="origins whose pages may call, separated by commas; empty: none")
    trusted_proxies: str = Field(
        "", description="networks whose X-Forwarded-For is believed, such as 10.0.0.0/8, separated by commas"
    )
    rate_limit_per_key: int = Field(50_000, ge=0, description="events a second of one API key or user; 0: no limit")
    rate_limit_per_address: int = Field(50_000, ge=0, description="events a second from one address; 0: no limit")
    rate_limit_global: int = Field(200_000, ge=0, description="events a second from all; 0: no limit")
    rate_limit_burst_seconds: float = Field(2.0, gt=0, description="how many seconds of its rate may come at once")
    login_attempts_per_minute: int = Field(
        30, ge=1, description="attempts at a password of one user, and of one address, a minute"
    )

    max_body_bytes: int = Field(4 * 1024**2, ge=1024, description="largest request body")
    max_requests_in_flight: int = Field(256, ge=1, description="requests a function answers at once")
    max_connections: int = Field(1024, ge=16, description="connections a function holds open at once")
    coalesce_requests: bool = Field(
        True, description="let requests of one event each share writes; off: one write for each, to measure or debug"
    )
    trigger_metrics_url: str = Field("", description="page of the role's trigger; default: its local port; none: -")
    trigger_instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,200}$",
        description="name of this trigger process, its own in the consumer group: restarted it keeps its partitions",
    )
    database_pool_size: int = Field(4, ge=1, le=100, description="connections of one function process")
    retention_seconds: int = Field(3600, ge=60, description="age at which rows are purged by the local run")
    replay_delays_seconds: str = Field("60,600,3600", description="longest wait before each replay of a dead letter")
    replay_per_second: int = Field(500, ge=1, le=100_000, description="most dead letters replayed a second")
    replay_max_live_lag: int = Field(
        10_000, ge=0, description="unprocessed events of live traffic above which replay waits"
    )
    min_free_disk_bytes: int = Field(5 * 1024**3, ge=0, description="emission stops below this much free disk")
    outbox_poll_interval_ms: int = Field(20, ge=1, le=60_000, description="Debezium's poll.interval.ms")

    @property
    def secured(self) -> bool:
        """Whether every call needs a credential."""
        return self.security == "on" or (self.security == "auto" and self.environment == "production")

    @property
    def emit_api_keys(self) -> tuple[str, ...]:
        """The values of EMIT_API_KEY: the one that we send, then others that are taken."""
        return several(self.emit_api_key.get_secret_value())

    @property
    def service_api_keys(self) -> tuple[str, ...]:
        """The values of SERVICE_API_KEY: the one that triggers send, then others that are taken."""
        return several(self.service_api_key.get_secret_value())

    @property
    def jwt_keys(self) -> tuple[str, ...]:
        """The keys of tokens: the one that signs, then those that are still taken."""
        return (
            self.jwt_secret_key.get_secret_value(),
            *filter(None, several(self.jwt_previous_secret_keys.get_secret_value())),
        )

    @property
    def scheme(self) -> str:
        """What the functions speak: https with a certificate, else http."""
        return "https" if self.tls_cert_file else "http"

    def function_url(self, role: str) -> str:
        """Return where a trigger reaches the function; `LookupError` when there is no such role."""
        return str(getattr(self, f"function_url_{role_named(role).target}"))

    def weak_secrets(self) -> list[str]:
        """Return the variables of secrets that are a development default, empty or short: what production refuses."""
        parts: dict[str, tuple[str, ...]] = {
            name: (getattr(self, name).get_secret_value(),) for name in DEVELOPMENT_SECRETS
        }
        parts |= {"emit_api_key": self.emit_api_keys, "service_api_key": self.service_api_keys}
        parts["jwt_previous_secret_keys"] = self.jwt_keys[1:]
        return [name.upper() for name, values in parts.items() if any(map(is_weak, values))]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the files that `<SECRET>_FILE` names; what stands in the environment itself comes first."""
        files = (SecretFileSource(settings_cls, source) for source in (env_settings, dotenv_settings))
        of_environment, of_dotenv = files
        secured = SecuredStateSource(settings_cls, init_settings, env_settings, dotenv_settings)
        return init_settings, env_settings, of_environment, dotenv_settings, of_dotenv, secured, file_secret_settings

    @model_validator(mode="after")
    def _derive_addresses(self) -> Self:
        defaults = {
            "kafka_bootstrap_servers": f"127.0.0.1:{self.kafka_port}",
            "redis_url": f"redis://127.0.0.1:{self.redis_port}/0",
            "metrics_bind_address": self.bind_address,
            "openfaas_url": f"http://127.0.0.1:{self.gateway_port}",
            "connect_url": f"http://127.0.0.1:{self.connect_port}",
        }
        for role in ROLES:
            defaults[f"function_url_{role.target}"] = f"{self.scheme}://127.0.0.1:{self.port(role.name)}"
        for name, value in defaults.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        local = f"postgresql://postgres:postgres@127.0.0.1:{self.postgres_port}/eventpipeline"
        url = with_authority(self.database_url.get_secret_value() or local, self.tls_ca_file)
        object.__setattr__(self, "database_url", SecretStr(url))
        return self

    @model_validator(mode="after")
    def _refuse_half_a_credential(self) -> Self:
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            raise ValueError("TLS_CERT_FILE and TLS_KEY_FILE belong together: set both or none")
        if self.tls_client_ca_file and not self.tls_cert_file:
            raise ValueError("TLS_CLIENT_CA_FILE needs TLS_CERT_FILE: without TLS no client shows a certificate")
        if self.kafka_security_protocol.startswith("SASL") and not (
            self.kafka_username and self.kafka_password.get_secret_value()
        ):
            protocol = self.kafka_security_protocol
            raise ValueError(f"KAFKA_SECURITY_PROTOCOL={protocol} needs KAFKA_USERNAME and KAFKA_PASSWORD")
        return self

    @model_validator(mode="after")
    def _refuse_weak_secrets_in_production(self) -> Self:
        if self.environment != "production":
            return self
        weak = self.weak_secrets()
        if weak:
            raise ValueError(
                f"ENVIRONMENT=production needs its own {', '.join(weak)} of at least {SHORTEST_SECRET} characters"
            )
        return self

    @model_validator(mode="after")
    def _refuse_carelessness_in_production(self) -> Self:
        if self.environment != "production":
            return self
        if self.log_level == "debug":
            raise ValueError("ENVIRONMENT=production takes no LOG_LEVEL=debug: its lines may hold what callers sent")
        if "*" in self.cors_origins:
            raise ValueError("ENVIRONMENT=production takes no * in CORS_ORIGINS: name the origins")
        return self

    @model_validator(mode="after")
    def _refuse_plaintext_in_production(self) -> Self:
        if self.environment == "production" and not self.allow_plaintext:
            refuse_open_connections(
                kafka=self.kafka_bootstrap_servers,
                kafka_protocol=self.kafka_security_protocol,
                database_url=self.database_url.get_secret_value(),
                redis_url=self.redis_url,
            )
        return self


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Return the settings of this process, read on first use."""
    return Settings()
