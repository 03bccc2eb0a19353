"""The one table of all services of the local run."""

from local.components.kafka import connect, kafka
from local.components.monitoring import grafana, prometheus
from local.components.pipeline import functions, gateway, tasks, triggers
from local.components.postgres import postgres
from local.components.redis import redis
from local.layout import Layout
from local.secure.state import settings_of
from local.service import Service
from signal_pipeline.settings import Settings

__all__ = ["INFRASTRUCTURE", "all_services"]

INFRASTRUCTURE = ("postgres", "kafka", "connect", "redis", "prometheus")


def all_services(settings: Settings, layout: Layout) -> list[Service]:
    """Return every service; `Unusable` names a component that is not installed."""
    owner, administrator = (settings_of(part, settings, layout) for part in ("migrate", "topics"))
    infrastructure = [
        postgres(owner, layout),
        kafka(administrator, layout),
        *(part(settings, layout) for part in (connect, redis, prometheus)),
    ]
    optional = grafana(settings, layout)
    return [
        *infrastructure,
        *([] if optional is None else [optional]),
        *tasks(),
        *functions(settings, layout),
        *triggers(settings),
        gateway(settings),
    ]
