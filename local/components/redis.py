"""Redis: rate limits and revoked tokens; nothing in it needs to survive."""

import shutil

from local.layout import Layout
from local.probes import redis_probe
from local.render import write
from local.secure.settings_files import redis_listener
from local.secure.state import is_secured
from local.service import Service, Unusable
from signal_pipeline.settings import Settings

__all__ = ["redis"]


def redis(settings: Settings, layout: Layout) -> Service:
    """Return the service; `Unusable` when redis-server is not installed."""
    server = shutil.which("redis-server")
    if server is None:
        raise Unusable("redis-server is not installed; run local/install.sh")
    port, password = settings.redis_port, settings.redis_password.get_secret_value()
    scheme = "rediss" if is_secured(layout) else "redis"
    return Service(
        name="redis",
        argv=(server, str(layout.config / "redis.conf")),
        probe=redis_probe(f"{scheme}://127.0.0.1:{port}/0", password, settings.tls_ca_file),
        prepare=lambda: _prepare(port, password, layout),
        ports={"REDIS_PORT": port},
        url=f"127.0.0.1:{port}",
    )


def _prepare(port: int, password: str, layout: Layout) -> None:
    data = layout.data / "redis"
    data.mkdir(parents=True, exist_ok=True)
    write(
        "redis.conf",
        layout.config,
        bind="127.0.0.1",
        listener=redis_listener(port, layout),
        password=_quoted(password),
        data=_quoted(str(data)),
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
