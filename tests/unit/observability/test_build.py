"""Which code runs: told as far as it is known."""

import platform

from prometheus_client import CollectorRegistry

from signal_pipeline import __version__
from signal_pipeline.observability.metrics import function_registry, trigger_registry


def told(registry: CollectorRegistry, name: str) -> dict[str, str]:
    """Return the labels of the one sample of a name."""
    (labels,) = [sample.labels for family in registry.collect() for sample in family.samples if sample.name == name]
    return labels


def test_function_and_trigger_tell_their_build() -> None:
    """Version and Python always, the commit where the image was built with one, and no word in its place otherwise."""
    known = {"version": __version__, "python": platform.python_version()}
    assert told(function_registry("emit"), "build_info") == {"role": "emit", **known}
    assert told(function_registry("emit", commit="abc"), "build_info") == {"role": "emit", **known, "commit": "abc"}
    assert told(trigger_registry(), "trigger_build_info") == known
    assert told(trigger_registry(commit="abc"), "trigger_build_info") == {**known, "commit": "abc"}
