"""Order among services. Pure: names in, names out."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

__all__ = ["dependents", "start_layers", "with_dependencies"]


def start_layers(needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the services in layers: each layer needs only earlier ones, and starts side by side.

    Args:
        needs: For each service the services that must be ready before it starts.

    Raises:
        ValueError: a service needs an unknown one, or itself in a circle.
    """
    for name, wanted in needs.items():
        for unknown in set(wanted) - needs.keys():
            raise ValueError(f"{name} needs {unknown}, which is no service")
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError as exc:
        raise ValueError(f"services need each other in a circle: {' -> '.join(exc.args[1])}") from exc
    layers = []
    while sorter.is_active():
        layer = sorted(sorter.get_ready())
        sorter.done(*layer)
        layers.append(layer)
    return layers


def with_dependencies(needs: Mapping[str, Iterable[str]], wanted: Iterable[str]) -> set[str]:
    """Return the wanted services and all that they need; `ValueError` names an unknown one."""
    found: set[str] = set()
    pending = list(wanted)
    while pending:
        name = pending.pop()
        if name not in needs:
            raise ValueError(f"no service {name!r}; the services are {', '.join(needs)}")
        if name not in found:
            found.add(name)
            pending.extend(needs[name])
    return found


def dependents(needs: Mapping[str, Iterable[str]], name: str) -> set[str]:
    """Return the services that need `name` directly: they stop before it does."""
    return {other for other, wanted in needs.items() if name in set(wanted)}
