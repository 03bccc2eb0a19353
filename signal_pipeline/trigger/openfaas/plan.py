"""Which sources a deployed function gets.

it has            annotation `topic`                         no such annotation
a manifest        its KafkaSource with these topics,         its schedule and rate source alone
                  its schedule and rate source
no manifest       a KafkaSource with the defaults            nothing: the function is not ours to call

The function's annotations `signal-pipeline.dev/…` come on top, under the names that a manifest has. Four more stand for
fields of a manifest's spec: `initial-offset`, `retry`, `timeout` (ISO 8601) and `dead-letter-sink`, a KafkaSink.
Without a manifest the consumer group is the function's name, and what is given up goes to quarantine: nobody replays
into a function that is not known here.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from signal_pipeline.settings import Settings
from signal_pipeline.topology import QUARANTINE
from signal_pipeline.trigger.manifest import Reading, Trigger, documents_of, parsed_trigger, sinks_of
from signal_pipeline.trigger.openfaas.gateway import DeployedFunction

__all__ = ["Planner"]

_OURS: Final = "signal-pipeline.dev/"
_NO_FUNCTIONS: Final = {"kafka-sinks", "kustomization"}  # files beside the manifests
_DELIVERY: Final = ("retry", "timeout")  # annotations that are fields of spec.delivery


class Planner:
    """Plans for functions that are found.

    Args:
        settings: Credentials.
        folder: Where the manifests are; it need not hold one for every function.
        address: Where a function is called.
    """

    def __init__(self, settings: Settings, *, folder: Path, address: Callable[[str], str]) -> None:
        self._settings = settings
        self._folder = folder
        self._address = address

    def triggers_of(self, function: DeployedFunction) -> tuple[Trigger, ...]:
        """Return the triggers of a function; none when it is not to be called.

        Raises:
            ConfigurationError: an annotation or the manifest is wrong; the message names the field.
        """
        documents = self._documents(function)
        if not documents:
            return ()
        reading = Reading(
            path=Path(f"{function.name} (annotations)"),
            settings=self._settings,
            sinks=sinks_of(self._folder),
            address=self._address,
            through_gateway=True,
        )
        return tuple(parsed_trigger(document, reading) for document in documents)

    def _documents(self, function: DeployedFunction) -> list[Mapping[str, Any]]:
        path = self._folder / f"{function.name}.yaml"
        written = documents_of(path) if path.is_file() and function.name not in _NO_FUNCTIONS else []
        others = [one for one in written if one.get("kind") != "KafkaSource"]
        if not function.topics:
            return others
        sources = [one for one in written if one.get("kind") == "KafkaSource"]
        return [_subscribed(sources[0] if sources else _default(function.name), function), *others]


def _default(name: str) -> dict[str, Any]:
    sink = {"apiVersion": "eventing.knative.dev/v1alpha1", "kind": "KafkaSink", "name": QUARANTINE.name}
    return {
        "apiVersion": "sources.knative.dev/v1",
        "kind": "KafkaSource",
        "metadata": {"name": name, "annotations": {}},
        "spec": {
            "consumerGroup": name,
            "delivery": {"deadLetterSink": {"ref": sink}},
            "sink": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": name}},
        },
    }


def _subscribed(source: Mapping[str, Any], function: DeployedFunction) -> Mapping[str, Any]:
    """Return a KafkaSource with the topics and the controls of a function's annotations."""
    document = deepcopy(dict(source))
    spec = document["spec"]
    spec["topics"] = list(function.topics)
    ours = {name.removeprefix(_OURS): value for name, value in function.annotations.items() if name.startswith(_OURS)}
    if "initial-offset" in ours:
        spec["initialOffset"] = ours.pop("initial-offset")
    if "dead-letter-sink" in ours:
        spec["delivery"]["deadLetterSink"]["ref"]["name"] = ours.pop("dead-letter-sink")
    for name in _DELIVERY:
        if name in ours:
            spec["delivery"][name] = ours.pop(name)
    annotations = document["metadata"].setdefault("annotations", {})
    annotations.update({_OURS + name: value for name, value in ours.items()})
    return document
