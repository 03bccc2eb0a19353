"""What a cluster's webhooks and controllers refuse though the schema allows it, and what manifests say of others."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tests.support.manifests import name_of

__all__ = ["link_faults", "pod_spec", "reference_faults", "rule_faults"]

Document = dict[str, Any]
_KNATIVE = "serving.knative.dev/v1"
_RESERVED_PATHS = {"/", "/dev", "/dev/log"}
_RESERVED_VARIABLES = {"PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"}
_CLUSTER_WIDE = {"Namespace"}
_OUR_IMAGE = re.compile(r"(.*/)?signal-pipeline([:@].*)?")


def rule_faults(document: Document) -> list[str]:
    """Return the rules that one document breaks."""
    rules = (_container_rules, _knative_rules, _scaling_rules, _selector_rules, _source_rules)
    return [f"{name_of(document)}: {fault}" for rule in rules for fault in rule(document)]


def pod_template(document: Document) -> Document:
    """Return the pod template of a document, empty where it has none."""
    template: Document = (document.get("spec") or {}).get("template") or {}
    return template if "spec" in template and "containers" in template["spec"] else {}


def pod_spec(document: Document) -> Document:
    """Return the pod spec of a document, empty where it has none."""
    spec: Document = pod_template(document).get("spec", {})
    return spec


def link_faults(documents: Sequence[Document]) -> list[str]:
    """Return which pods of our image take Service links: a Service `postgres` would set POSTGRES_PORT=tcp://….

    Args:
        documents: What is applied; in the files themselves patches add the field to some.
    """
    return [
        f"{name_of(one)}: enableServiceLinks is not false"
        for one in documents
        if any(_OUR_IMAGE.fullmatch(container["image"]) for container in pod_spec(one).get("containers", []))
        and pod_spec(one).get("enableServiceLinks") is not False
    ]


def _container_rules(document: Document) -> Iterator[str]:
    spec = pod_spec(document)
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    volumes |= {one["metadata"]["name"] for one in document.get("spec", {}).get("volumeClaimTemplates", [])}
    for container in spec.get("containers", []):
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                yield f"mounts {mount['name']}, which is no volume of the pod"
        names = [one["name"] for one in container.get("env", [])]
        if len(names) != len(set(names)):
            yield "has a variable twice"
        ports = {port.get("name") for port in container.get("ports", [])}
        for probe in ("livenessProbe", "readinessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port")
            if isinstance(port, str) and port not in ports:
                yield f"{probe} asks the port {port}, which the container does not have"


def _knative_rules(document: Document) -> Iterator[str]:
    """Yield what the webhook of Knative Serving refuses."""
    if document["apiVersion"] != _KNATIVE:
        return
    spec = pod_spec(document)
    if len([one for one in spec["containers"] if one.get("ports")]) > 1:
        yield "more than one container takes requests"
    yield from _knative_volumes(spec)
    for container in spec["containers"]:
        yield from _knative_container(container)


def _knative_volumes(spec: Document) -> Iterator[str]:
    writable = {volume["name"] for volume in spec.get("volumes", []) if "emptyDir" in volume}
    mounts = [mount for one in spec["containers"] for mount in one.get("volumeMounts", [])]
    unused = {volume["name"] for volume in spec.get("volumes", [])} - {mount["name"] for mount in mounts}
    yield from (f"the volume {name} is not mounted" for name in unused)
    for mount in mounts:
        if mount["mountPath"] in _RESERVED_PATHS:
            yield f"{mount['mountPath']} is reserved"
        if mount["name"] not in writable and not mount.get("readOnly"):
            yield f"{mount['name']} must be mounted read-only"


def _knative_container(container: Document) -> Iterator[str]:
    if container.get("name") == "queue-proxy":
        yield "queue-proxy is the sidecar's name"
    given = {one["name"] for one in container.get("env", [])}
    yield from (f"{name} is set by Knative" for name in _RESERVED_VARIABLES & given)
    if any(len(source.keys() - {"prefix"}) != 1 for source in container.get("envFrom", [])):
        yield "an envFrom names a ConfigMap and a Secret"


def _scaling_rules(document: Document) -> Iterator[str]:
    spec = document.get("spec") or {}
    if document["kind"] == "ScaledObject" and spec.get("minReplicaCount", 0) > spec.get("maxReplicaCount", 100):
        yield "minReplicaCount is above maxReplicaCount"
    annotations = dict(document["metadata"].get("annotations", {}))
    annotations |= pod_template(document).get("metadata", {}).get("annotations", {})
    for prefix in ("autoscaling.knative.dev/", "autoscaling.eventing.knative.dev/"):
        ours = {name.removeprefix(prefix): value for name, value in annotations.items() if name.startswith(prefix)}
        yield from _scale_annotations(ours)


def _scale_annotations(given: dict[str, str]) -> Iterator[str]:
    numbers = ("min-scale", "max-scale", "lag-threshold", "target", "target-utilization-percentage")
    for name in given.keys() - {*numbers, "metric", "class"}:
        yield f"nobody knows the scaling annotation {name}"
    for name in given.keys() & {*numbers}:
        if not re.fullmatch(r"\d+", given[name]):
            yield f"{name} is no number"
            return
    if int(given.get("min-scale", 0)) > int(given.get("max-scale", 0) or 1_000_000):
        yield "min-scale is above max-scale"
    if given.get("metric", "concurrency") not in {"concurrency", "rps"}:
        yield "metric is neither concurrency nor rps"
    if not 1 <= int(given.get("target-utilization-percentage", 70)) <= 100:
        yield "target-utilization-percentage is none"


def _selector_rules(document: Document) -> Iterator[str]:
    if document["kind"] not in {"Deployment", "StatefulSet"}:
        return
    wanted = document["spec"]["selector"].get("matchLabels", {})
    labels = pod_template(document).get("metadata", {}).get("labels", {})
    if not wanted or not wanted.items() <= labels.items():
        yield "its selector does not select its pods"


def _source_rules(document: Document) -> Iterator[str]:
    if document["kind"] == "KafkaSource":
        sink = document["spec"]["delivery"]["deadLetterSink"].get("ref", {})
        if sink.get("name") in document["spec"]["topics"]:
            yield "its dead letters go back to its own topic"
    if document["kind"] == "KafkaSink" and document["spec"]["topic"] != document["metadata"]["name"]:
        yield "its name is not its topic's"


def reference_faults(documents: Sequence[Document], *, existing: frozenset[str] = frozenset()) -> list[str]:
    """Return what documents say of others that are not there, in the same namespace.

    Args:
        documents: All that is applied together.
        existing: What the cluster has already, as `Secret signal-pipeline`.
    """
    there = {(one["metadata"].get("namespace"), name_of(one)) for one in documents}
    faults = [] if len(there) == len(documents) else ["two documents have the same kind and name"]
    for document in documents:
        namespace = document["metadata"].get("namespace")
        if namespace is None and document["kind"] not in _CLUSTER_WIDE:
            faults.append(f"{name_of(document)}: has no namespace")
        missing = [one for one in _named(document) if (namespace, one) not in there and one not in existing]
        faults += [f"{name_of(document)}: names {one}, which is not there" for one in missing]
    return faults


def _named(document: Document) -> Iterator[str]:
    spec = document.get("spec") or {}
    for place in (spec.get("sink"), (spec.get("delivery") or {}).get("deadLetterSink")):
        if place and "ref" in place:
            yield f"{place['ref']['kind']} {place['ref']['name']}"
    if "subject" in spec:
        yield f"{spec['subject']['kind']} {spec['subject']['name']}"
    if "scaleTargetRef" in spec:
        yield f"Deployment {spec['scaleTargetRef']['name']}"
    for trigger in spec.get("triggers", []):
        if "authenticationRef" in trigger:
            yield f"TriggerAuthentication {trigger['authenticationRef']['name']}"
    if document["kind"] == "KafkaConnector":
        yield f"KafkaConnect {document['metadata']['labels']['strimzi.io/cluster']}"
    yield from _named_by_pods(pod_spec(document))


def _named_by_pods(spec: Document) -> Iterator[str]:
    if "serviceAccountName" in spec:
        yield f"ServiceAccount {spec['serviceAccountName']}"
    for volume in spec.get("volumes", []):
        if "secret" in volume:
            yield f"Secret {volume['secret']['secretName']}"
    for container in spec.get("containers", []):
        for source in container.get("envFrom", []):
            kinds = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
            yield from (f"{kinds[kind]} {ref['name']}" for kind, ref in source.items() if kind in kinds)
