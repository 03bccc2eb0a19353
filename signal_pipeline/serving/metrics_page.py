"""A role's one metrics page: the function's own metrics and, below them, its trigger's."""

import threading
import urllib.request
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from signal_pipeline.errors import ConfigurationError

__all__ = ["MetricsPage"]

_TRIGGER_DOWN: Final = b"# HELP trigger_up 1 while the trigger runs.\n# TYPE trigger_up gauge\ntrigger_up 0.0\n"
_TRIGGER_TIMEOUT_SECONDS: Final = 2.0
# The trigger is a neighbour, which the environment's proxy for the internet need not reach.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_CLIENT_TIMEOUT_SECONDS: Final = 10.0  # a connection that says nothing would hold its thread for ever


class MetricsPage:
    """Serves `/metrics` on a port of its own, in a thread, so that a busy function still answers the scrape.

    Args:
        registry: The function's metrics.
        address: Where to listen.
        port: Where to listen; 0 serves no page of its own.
        trigger_url: The trigger's page; empty when the role has no trigger. A trigger that does not answer shows as
            `trigger_up 0`, never as values of before.
    """

    content_type: ClassVar[str] = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry, *, address: str, port: int, trigger_url: str = "") -> None:
        self._registry = registry
        self._address = address
        self._port = port
        self._trigger_url = trigger_url
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen, unless it does already; `ConfigurationError` when the port is taken."""
        if not self._port or self._server is not None:
            return
        try:
            self._server = ThreadingHTTPServer((self._address, self._port), _handler(self))
        except OSError as exc:
            raise ConfigurationError(f"the metrics port {self._port} cannot be opened: {exc.strerror}") from exc
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def render(self) -> bytes:
        """Return the page in Prometheus' text format."""
        own = generate_latest(self._registry)
        return own + self._trigger_page() if self._trigger_url else own

    def _trigger_page(self) -> bytes:
        try:
            with _DIRECT.open(self._trigger_url, timeout=_TRIGGER_TIMEOUT_SECONDS) as answer:
                page: bytes = answer.read()
        except (OSError, HTTPException):  # no answer, or half of one
            return _TRIGGER_DOWN
        return page


def _handler(page: MetricsPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_TIMEOUT_SECONDS

        def version_string(self) -> str:
            return "signal-pipeline"  # the base class tells the version of Python to everyone

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self.send_error(404)
                return
            body = page.render()
            self.send_response(200)
            self.send_header("Content-Type", MetricsPage.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Scrapes are not worth a line each."""

    return Handler
