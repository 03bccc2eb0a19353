"""The composition root: one function process, wired from its settings."""

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry

from signal_pipeline.observability.logs import configure_logs
from signal_pipeline.observability.metrics import CertificateMetrics, function_registry
from signal_pipeline.roles.auth import Auth
from signal_pipeline.roles.confirm_outbox import ConfirmOutbox
from signal_pipeline.roles.detect_anomaly import DetectAnomaly
from signal_pipeline.roles.emit import Emit
from signal_pipeline.roles.process_signal import ProcessSignal
from signal_pipeline.roles.replay_dlq import ReplayDlq
from signal_pipeline.security.certificates import certificate_expiry
from signal_pipeline.serving.app import FunctionApp
from signal_pipeline.serving.function import Function
from signal_pipeline.serving.metrics_page import MetricsPage
from signal_pipeline.settings import Settings, load_settings

__all__ = ["application", "build_application"]

_FUNCTIONS: dict[str, Callable[[Settings, CollectorRegistry], Function]] = {
    function.name: function for function in (Emit, ProcessSignal, DetectAnomaly, ReplayDlq, ConfirmOutbox, Auth)
}


@cache
def application(name: str) -> FunctionApp:
    """Return this process's application of a role, made on first use with the process's settings."""
    settings = load_settings()
    configure_logs(role=name, level=settings.log_level)
    return build_application(name, settings)


def build_application(name: str, settings: Settings) -> FunctionApp:
    """Return a new application of a role.

    Raises:
        KeyError: there is no such role.
        ConfigurationError: TLS_CERT_FILE holds no certificate.
    """
    registry = function_registry(name, commit=settings.build)
    if settings.tls_cert_file:
        CertificateMetrics(registry).expiry.set(certificate_expiry(settings.tls_cert_file).timestamp())
    page = MetricsPage(
        registry,
        address=settings.metrics_bind_address,
        port=settings.metrics_port(name),
        trigger_url=_trigger_page(name, settings),
    )
    return FunctionApp(_FUNCTIONS[name](settings, registry), page)


def _trigger_page(name: str, settings: Settings) -> str:
    port = settings.trigger_port(name)
    if port is None or settings.trigger_metrics_url == "-":
        return ""
    return settings.trigger_metrics_url or f"http://127.0.0.1:{port}/metrics"
