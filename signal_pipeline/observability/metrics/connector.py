"""Metrics of kafka-connector, and one page for the triggers of many functions."""

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

__all__ = ["ConnectorMetrics", "RolePages"]

_LABEL: Final = "role"


class ConnectorMetrics:
    """Metrics of the connector itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.gateway_up = Gauge(
            "connector_gateway_up", "1 while the gateway tells which functions there are, else 0.", registry=registry
        )
        self.functions = Gauge("connector_functions", "Functions that are called.", registry=registry)
        self.refused = Gauge(
            "connector_refused_functions", "Functions whose annotations or manifest are wrong.", registry=registry
        )


class RolePages(Collector):
    """Registries of many triggers as one, every series with the label `role` that Prometheus adds to a trigger's page.

    A trigger's metrics know nothing of other triggers; here each keeps its own registry, and comes and goes with it.

    Args:
        registry: What the pages become a part of.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._pages: dict[str, CollectorRegistry] = {}
        registry.register(self)

    def add(self, role: str) -> CollectorRegistry:
        """Return a new, empty registry of a role; one that it had before is gone."""
        self._pages[role] = CollectorRegistry()
        return self._pages[role]

    def remove(self, role: str) -> None:
        """Forget a role's series."""
        self._pages.pop(role, None)

    def collect(self) -> "Iterator[Metric]":
        """Yield each family once, with the series of all roles: the text format allows no second one of a name."""
        families: dict[str, Metric] = {}
        for role, registry in list(self._pages.items()):
            for family in registry.collect():
                labelled = [one._replace(labels={_LABEL: role, **one.labels}) for one in family.samples]
                if family.name in families:
                    families[family.name].samples.extend(labelled)
                else:
                    family.samples = labelled
                    families[family.name] = family
        yield from families.values()
