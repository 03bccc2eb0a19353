"""No manifest for Knative, Strimzi, KEDA or Kubernetes has a field, value or reference that a cluster refuses."""

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.layout import ROOT
from tests.support.manifest_rules import link_faults, pod_spec, reference_faults, rule_faults
from tests.support.manifests import FOLDER, SCHEMAS, manifests_of, name_of, schema_faults, tool

Document = dict[str, Any]
Documents = tuple[Document, ...]
# What the guide tells the operator to make first.
EXISTING = {
    "dev": frozenset(),
    "production": frozenset({"Secret signal-pipeline", "Secret signal-pipeline-authority"}),
}
FILES = [*manifests_of(FOLDER), *manifests_of(ROOT / "triggers"), *manifests_of(ROOT / "deploy" / "monitoring")]


@pytest.mark.parametrize(
    ("path", "document"), FILES, ids=lambda one: name_of(one) if isinstance(one, dict) else one.stem
)
def test_each_manifest_by_itself(path: Path, document: Document) -> None:
    """Strict schema and webhook rules hold for every manifest as it stands in its file, without any tool."""
    assert schema_faults(document) + rule_faults(document) == [], path


@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_an_overlay_is_whole(overlay: str, request: pytest.FixtureRequest) -> None:
    """What is applied is valid, everything is in a namespace, and everything that is named is there or documented."""
    documents: Documents = request.getfixturevalue(overlay)
    assert [fault for one in documents for fault in schema_faults(one) + rule_faults(one)] == []
    assert reference_faults(documents, existing=EXISTING[overlay]) + link_faults(documents) == []


@pytest.mark.parametrize("variant", ["batch_sources", "batch_triggers"])
def test_a_component_is_whole(variant: str, request: pytest.FixtureRequest) -> None:
    """The base with either form of our trigger is as valid; no KafkaSource or PingSource is left to deliver twice."""
    documents: Documents = request.getfixturevalue(variant)
    assert [fault for one in documents for fault in schema_faults(one) + rule_faults(one)] == []
    assert reference_faults(documents, existing=frozenset({"Secret signal-pipeline"})) + link_faults(documents) == []
    assert not {"KafkaSource", "PingSource"} & {one["kind"] for one in documents}


def source(kind: str) -> Document:
    """Return a fresh copy of the first manifest of a kind."""
    return copy.deepcopy(next(document for _, document in FILES if document["kind"] == kind))


def function() -> Document:
    """Return a fresh copy of a Knative Service."""
    return copy.deepcopy(next(one for _, one in FILES if one["apiVersion"] == "serving.knative.dev/v1"))


def knative_volume() -> Document:
    """Return a Knative Service that mounts a Secret and reads another."""
    document = function()
    document["spec"]["template"]["spec"]["volumes"] = [{"name": "ca", "secret": {"secretName": "authority"}}]
    container(document)["volumeMounts"] = [{"name": "ca", "mountPath": "/authority", "readOnly": True}]
    container(document)["envFrom"] = [{"secretRef": {"name": "secrets"}}]
    return document


def container(document: Document) -> Document:
    """Return its first container."""
    found: Document = document["spec"]["template"]["spec"]["containers"][0]
    return found


Break = Callable[[Document], object]
SEEDS: list[tuple[str, Callable[[], Document], Break]] = [
    ("a field is misspelt", lambda: source("KafkaSource"), lambda one: one["spec"].update(consumergroup="x")),
    ("unknown offset", lambda: source("KafkaSource"), lambda one: one["spec"].update(initialOffset="newest")),
    ("unknown order", lambda: source("KafkaSource"), lambda one: one["spec"].update(ordering="sorted")),
    ("no sink", lambda: source("KafkaSource"), lambda one: one["spec"].pop("sink")),
    ("a sink of nothing", lambda: source("KafkaSource"), lambda one: one["spec"].update(sink={})),
    ("no retries", lambda: source("KafkaSource"), lambda one: one["spec"]["delivery"].pop("retry")),
    ("seconds", lambda: source("KafkaSource"), lambda one: one["spec"]["delivery"].update(timeout="30s")),
    ("empty duration", lambda: source("KafkaSource"), lambda one: one["spec"]["delivery"].update(backoffDelay="PT")),
    ("old version", lambda: source("KafkaSource"), lambda one: one.update(apiVersion="sources.knative.dev/v1beta1")),
    ("a name", lambda: source("KafkaSource"), lambda one: one["metadata"].update(name="Process_Signal")),
    ("a long label", lambda: source("KafkaSource"), lambda one: one["metadata"].update(labels={"x": "y" * 64})),
    ("scale", lambda: source("KafkaSource"), lambda one: one["metadata"]["annotations"].update(
        {"autoscaling.eventing.knative.dev/max-scale": "six"})),
    ("unknown scale", lambda: source("KafkaSource"), lambda one: one["metadata"]["annotations"].update(
        {"autoscaling.eventing.knative.dev/maxScale": "6"})),
    ("a loop", lambda: source("KafkaSource"), lambda one: one["spec"].update(topics=[
        "signal-events-dlq", "signal-events-quarantine"])),
    ("another topic", lambda: source("KafkaSink"), lambda one: one["spec"].update(topic="signal-events")),
    ("seconds of a cron", lambda: source("PingSource"), lambda one: one["spec"].update(schedule="*/5 * * * * *")),
    ("data twice", lambda: source("PingSource"), lambda one: one["spec"].update(dataBase64="e30=")),
    ("two ports", function, lambda one: container(one)["ports"].append({"containerPort": 8081})),
    ("a named port", function, lambda one: container(one)["ports"][0].update(name="metrics")),
    ("the sidecar's port", function, lambda one: container(one)["ports"][0].update(containerPort=8012)),
    ("a pod field", function, lambda one: one["spec"]["template"]["spec"].update(restartPolicy="Always")),
    ("no image", function, lambda one: container(one).pop("image")),
    ("scales the wrong way", function, lambda one: one["spec"]["template"]["metadata"]["annotations"].update(
        {"autoscaling.knative.dev/min-scale": "99"})),
    ("a mount of nothing", function, lambda one: container(one).update(
        volumeMounts=[{"name": "nothing", "mountPath": "/x"}])),
    ("a variable of Knative's", function, lambda one: container(one)["env"].append({"name": "PORT", "value": "8080"})),
    ("the sidecar's name", function, lambda one: container(one).update(name="queue-proxy")),
    ("a reserved path", knative_volume, lambda one: container(one)["volumeMounts"][0].update(mountPath="/dev")),
    ("a writable secret", knative_volume, lambda one: container(one)["volumeMounts"][0].pop("readOnly")),
    ("a volume for nobody", knative_volume, lambda one: container(one).pop("volumeMounts")),
    ("two in one", knative_volume, lambda one: container(one)["envFrom"][0].update(configMapRef={"name": "x"})),
    ("no pods", lambda: source("Deployment"), lambda one: one["spec"]["selector"].update(matchLabels={"a": "b"})),
    ("a probe of nothing", lambda: source("Deployment"), lambda one: container(one)["ports"].clear()),
    ("a variable twice", function, lambda one: container(one)["env"].append({"name": "ROLE", "value": "auth"})),
    ("more than most", lambda: source("ScaledObject"), lambda one: one["spec"].update(minReplicaCount=9)),
    ("no such SASL", lambda: source("ScaledObject"), lambda one: one["spec"]["triggers"][0]["metadata"].update(
        sasl="scram")),
    ("no partitions", lambda: source("KafkaTopic"), lambda one: one["spec"].pop("partitions")),
    ("Strimzi's own key", lambda: source("KafkaConnector"), lambda one: one["spec"]["config"].update(
        {"tasks.max": "1"})),
    ("not under /mnt", lambda: source("KafkaConnect"), lambda one: one["spec"]["template"]["connectContainer"][
        "volumeMounts"][0].update(mountPath="/database")),
    ("a Job that never ends", lambda: source("Job"), lambda one: one["spec"]["template"]["spec"].pop("restartPolicy")),
    ("both bounds", lambda: source("PodDisruptionBudget"), lambda one: one["spec"].update(minAvailable=1)),
    ("a kind nobody knows", lambda: source("Job"), lambda one: one.update(kind="Task")),
]  # fmt: skip


@pytest.mark.parametrize(("make", "damage"), [seed[1:] for seed in SEEDS], ids=[seed[0] for seed in SEEDS])
def test_a_seeded_fault_is_found(make: Callable[[], Document], damage: Break) -> None:
    """The validator is no rubber stamp: it reports each of these faults, put into a manifest that ships."""
    document = make()
    assert schema_faults(document) + rule_faults(document) == []
    damage(document)
    assert schema_faults(document) + rule_faults(document) != []


def test_a_reference_to_nothing_is_found(dev: Documents) -> None:
    """A sink, a subject or settings that are not applied with what names them are reported."""
    without = [one for one in dev if name_of(one) not in {"Service auth", "Service process-signal"}]
    faults = reference_faults(without)
    assert [fault.partition(":")[0] for fault in faults] == [
        "KafkaSource process-signal",
        "PingSource process-signal-purge",
    ]
    misplaced = copy.deepcopy(list(dev))
    next(one for one in misplaced if one["kind"] == "ConfigMap")["metadata"]["namespace"] = "default"
    assert len(reference_faults(misplaced)) == 8  # six functions, the rate source, the migration


@pytest.mark.parametrize(
    ("variant", "pods"),
    [("dev", 8), ("production", 11), ("batch_sources", 12), ("batch_triggers", 12)],
)
def test_a_pod_that_takes_service_links_is_found(variant: str, pods: int, request: pytest.FixtureRequest) -> None:
    """Each pod of our image, of whatever kind and image name, is reported without the field and with true."""
    documents = copy.deepcopy(list(request.getfixturevalue(variant)))
    ours = [one for one in documents if "enableServiceLinks" in pod_spec(one)]
    assert len(ours) == pods  # functions, migration, and a rate source or triggers; never PostgreSQL
    for document in ours:
        pod_spec(document)["enableServiceLinks"] = True
    assert len(link_faults(documents)) == pods
    for document in ours:
        del pod_spec(document)["enableServiceLinks"]
    assert len(link_faults(documents)) == pods


@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_kubeconform(overlay: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The cluster world's own validator agrees, strictly and with the same schemas, and sees a misspelt field."""
    documents: Documents = request.getfixturevalue(overlay)
    assert conforms(documents, tmp_path)
    broken = copy.deepcopy(documents)
    broken[0]["metadata"]["label"] = {}
    assert not conforms(broken, tmp_path)


def conforms(documents: Documents, folder: Path) -> bool:
    """Ask kubeconform."""
    path = folder / "all.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    location = f"{SCHEMAS}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [tool("kubeconform"), "-strict", "-schema-location", location, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
