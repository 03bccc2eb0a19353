"""What the local gateway counts, under the names that OpenFaaS' own gateway has."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from signal_pipeline.observability.metrics.buckets import CALL_SECONDS

__all__ = ["GatewayMetrics"]


class GatewayMetrics:
    """Calls by function, named with its namespace, such as `emit.openfaas-fn`.

    Attributes:
        registry: What the page shows.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._calls = Counter(
            "gateway_function_invocation_total",
            "Calls that are over, by the status that the caller got.",
            ["function_name", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "gateway_functions_seconds",
            "Time from a call to the end of its answer.",
            ["function_name", "code"],
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self.replicas = Gauge(
            "gateway_service_count", "Replicas that are to run.", ["function_name"], registry=registry
        )

    def observe(self, function: str, status: int, seconds: float) -> None:
        """Count one call.

        Args:
            function: Its name with the namespace.
            status: What the caller got.
            seconds: How long it took.
        """
        self._calls.labels(function, str(status)).inc()
        self._seconds.labels(function, str(status)).observe(seconds)

    def calls_of(self, function: str) -> float:
        """Return how often a function was called, whatever came of it, since this process started."""
        samples = [sample for family in self._calls.collect() for sample in family.samples]
        wanted = "gateway_function_invocation_total"
        return sum(each.value for each in samples if each.name == wanted and each.labels["function_name"] == function)
