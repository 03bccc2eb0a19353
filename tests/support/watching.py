"""An observer beside a load: knows where the pipeline's parts are, and what each of them may use at most."""

from signal_pipeline.topology import ROLES
from signal_pipeline.trigger.manifest import KafkaTrigger, load_triggers
from tests.checker import Bounds, Observer
from tests.support.pipeline import ROOT, Pipeline

__all__ = ["bounds_of", "observer_of"]

_MIB = 1024 * 1024


def observer_of(pipeline: Pipeline, *sources: str, calm: bool = False) -> Observer:
    """Return an observer of a pipeline while events of these sources are sent; `calm` when nothing will be hurt."""
    settings = pipeline.settings
    pages = {role.name: f"http://127.0.0.1:{settings.metrics_port(role.name)}/metrics" for role in ROLES}
    return Observer(pipeline.database_url, pipeline.broker, pages, sources, bounds=bounds_of(pipeline), calm=calm)


def bounds_of(pipeline: Pipeline) -> Bounds:
    """Return what the settings and manifests of a pipeline allow."""
    settings = pipeline.settings
    return Bounds(
        memory_bytes=512 * _MIB,  # three times of what a function has at its usual load
        # After a kill the dead process's connections end a moment after its successor's begin.
        connections=2 * settings.database_pool_size,
        requests=settings.max_requests_in_flight,
        events={role.name: _most_events(role.name, pipeline) for role in ROLES if role.trigger_port},
        wal_bytes=1024 * _MIB,  # a slot that moves retains some segments of 16 MiB; the server cuts at 4 GiB
    )


def _most_events(role: str, pipeline: Pipeline) -> int:
    triggers = load_triggers(role, pipeline.settings, folder=ROOT / "triggers")
    kafka = [one for one in triggers if isinstance(one, KafkaTrigger)]
    # Beside its healthy deliveries a trigger has at most one of partitions that are in trouble.
    return sum((one.in_flight + 1) * (one.batch_events if one.batch else 1) for one in kafka)
