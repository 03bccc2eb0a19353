"""The overlays are this pipeline: its roles, its triggers, its topics, its connector, its settings, its limits."""

import json
import re
import tomllib
from string import Template
from typing import Any

import pytest
import yaml

from local.cluster_kafka import CONNECTOR_VALUES
from local.layout import ROOT
from signal_pipeline.broker.admin import HEARTBEAT_TOPIC
from signal_pipeline.secret_strength import DEVELOPMENT_SECRETS
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES, TOPICS
from tests.support.manifest_rules import pod_spec
from tests.support.manifests import FOLDER
from tests.unit.deploy.conftest import Documents

SIDECAR_PORTS = {8008, 8012, 8013, 8022, 8112, 9090, 9091}
PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}
CONSUMED = {
    "process-signal": "signal-events",
    "detect-anomaly": "signal-events",
    "replay-dlq": "signal-events-dlq",
    "confirm-outbox": "anomaly-events",
}
OVERLAYS = pytest.mark.parametrize("overlay", ["dev", "production"])


def of_kind(documents: Documents, kind: str, group: str = "") -> dict[str, dict[str, Any]]:
    """Return the documents of a kind by their names."""
    found = [one for one in documents if one["kind"] == kind and one["apiVersion"].startswith(group)]
    return {one["metadata"]["name"]: one for one in found}


def functions(documents: Documents) -> dict[str, dict[str, Any]]:
    """Return the Knative Services by their names."""
    return of_kind(documents, "Service", "serving.knative.dev/")


def settings_in(documents: Documents) -> dict[str, str]:
    """Return the one ConfigMap's settings."""
    ((_, found),) = of_kind(documents, "ConfigMap").items()
    data: dict[str, str] = found["data"]
    return data


@OVERLAYS
def test_every_role_is_a_function(overlay: str, request: pytest.FixtureRequest) -> None:
    """One Service a role, chosen by ROLE, whose metrics page is not at a port of the sidecar."""
    found = functions(request.getfixturevalue(overlay))
    assert found.keys() == {role.name for role in ROLES}
    for role in ROLES:
        template = found[role.name]["spec"]["template"]
        given = {one["name"]: one["value"] for one in template["spec"]["containers"][0]["env"]}
        port = given[f"{role.env}_METRICS_PORT"]
        assert given == {"ROLE": role.name, f"{role.env}_METRICS_PORT": port}
        assert int(port) not in SIDECAR_PORTS
        assert template["metadata"]["annotations"]["prometheus.io/port"] == port
        assert template["metadata"]["labels"] == {"app.kubernetes.io/part-of": "signal-pipeline", "role": role.name}


@OVERLAYS
def test_strangers_reach_two_functions(overlay: str, request: pytest.FixtureRequest) -> None:
    """From outside the cluster emit and auth are reached, and no other."""
    found = functions(request.getfixturevalue(overlay))
    private = {"networking.knative.dev/visibility": "cluster-local"}
    public = {name for name, one in found.items() if not private.items() <= one["metadata"]["labels"].items()}
    assert public == {"emit", "auth"}


@OVERLAYS
def test_restrictions(overlay: str, request: pytest.FixtureRequest) -> None:
    """Every container of ours runs as user 10001 without root, capabilities, a writable root or unbounded memory."""
    ours = [one for one in request.getfixturevalue(overlay) if pod_spec(one) and one["metadata"]["name"] != "postgres"]
    assert ours
    for document in ours:
        spec = pod_spec(document)
        for container in spec["containers"]:
            context = {**spec.get("securityContext", {}), **container["securityContext"]}
            assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_the_triggers_are_the_files_that_the_local_trigger_reads(dev: Documents) -> None:
    """What a cluster applies is triggers/*.yaml, with the address of its own broker and the pods' restrictions."""
    for path in (ROOT / "triggers").glob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] in {"KafkaSource", "KafkaSink", "PingSource", "ContainerSource"}:
                applied = of_kind(dev, document["kind"])[document["metadata"]["name"]]
                for same in document["spec"].keys() - {"bootstrapServers", "template"}:
                    assert applied["spec"][same] == document["spec"][same]
                assert (
                    document["metadata"].get("annotations", {}).items()
                    <= applied["metadata"].get("annotations", {}).items()
                )
    taken = yaml.safe_load((ROOT / "triggers" / "kustomization.yaml").read_text())["resources"]
    assert set(taken) == {path.name for path in (ROOT / "triggers").glob("*.yaml")} - {"kustomization.yaml"}


def test_consumers_are_at_most_as_many_as_partitions(dev: Documents, batch_triggers: Documents) -> None:
    """KEDA scales a source, and a Deployment of our trigger, up to one consumer a partition of the group's topic."""
    for role, topic in CONSUMED.items():
        source = of_kind(dev, "KafkaSource")[role]
        assert source["metadata"]["annotations"]["autoscaling.eventing.knative.dev/max-scale"] == str(PARTITIONS[topic])
        scaled = of_kind(batch_triggers, "ScaledObject")[f"{role}-trigger"]["spec"]
        asked = scaled["triggers"][0]["metadata"]
        assert (scaled["maxReplicaCount"], asked["topic"], asked["consumerGroup"]) == (PARTITIONS[topic], topic, role)


@pytest.mark.parametrize("variant", ["batch_sources", "batch_triggers"])
def test_our_trigger_takes_over(variant: str, request: pytest.FixtureRequest) -> None:
    """Each consuming role has one trigger, which is told its own function's address as K_SINK."""
    documents: Documents = request.getfixturevalue(variant)
    runs = {
        pod_spec(one)["containers"][0]["args"][1]: one["metadata"]["name"]
        for one in documents
        if pod_spec(one) and pod_spec(one)["containers"][0].get("args", [""])[0] == "trigger"
    }
    assert runs.keys() == {*CONSUMED, "emit"}
    told = {one["spec"].get("subject", one["metadata"])["name"]: one["spec"]["sink"]["ref"]["name"]
            for one in documents if one["kind"] in {"SinkBinding", "ContainerSource"}}  # fmt: skip
    assert {role: told[name] for role, name in runs.items()} == {role: role for role in runs}


def test_topics(dev: Documents, production: Documents) -> None:
    """Strimzi makes the topics of the topology, as large and as many partitions; production keeps three copies."""
    for documents, replicas in ((dev, 1), (production, 3)):
        found = {one["spec"]["topicName"]: one["spec"] for one in of_kind(documents, "KafkaTopic").values()}
        assert found.keys() == {topic.name for topic in (*TOPICS, HEARTBEAT_TOPIC)}
        for topic in (*TOPICS, HEARTBEAT_TOPIC):
            assert found[topic.name]["partitions"] == topic.partitions
            assert found[topic.name]["config"]["max.message.bytes"] == str(topic.max_message_bytes)
            assert found[topic.name]["replicas"] == replicas


def test_the_connector_is_the_local_one(production: Documents) -> None:
    """Same configuration as sql/debezium/outbox-connector.json; its credentials are where Connect finds a Secret."""
    spec = of_kind(production, "KafkaConnector")["outbox-connector"]["spec"]
    template = json.loads((ROOT / "sql" / "debezium" / "outbox-connector.json").read_text())
    applied = {**spec["config"], "connector.class": spec["class"], "tasks.max": str(spec["tasksMax"])}
    assert applied == {name: Template(text).substitute(CONNECTOR_VALUES) for name, text in template.items()}
    connect = of_kind(production, "KafkaConnect")["signal-pipeline"]["spec"]
    folder = connect["template"]["connectContainer"]["volumeMounts"][0]["mountPath"]
    assert applied["database.password"] == f"${{directory:{folder}:password}}"
    assert connect["config"]["config.providers.directory.param.allowed.paths"] == folder


def test_development_settings_start(dev: Documents) -> None:
    """Every variable is a setting, and the settings with the development secrets are ones that a function takes."""
    secrets = of_kind(dev, "Secret")["signal-pipeline"]
    assert secrets["metadata"]["namespace"] == "signal-pipeline"
    given = settings_in(dev)
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    assert Settings(_env_file=None, **{name.lower(): value for name, value in given.items()}).secured is False


def test_production_starts_with_secrets_of_its_own_alone(production: Documents) -> None:
    """It holds no Secret and no development default, asks everybody for a credential, and refuses weak ones."""
    assert not of_kind(production, "Secret")
    text = yaml.safe_dump_all(production)
    assert not [name for name, value in DEVELOPMENT_SECRETS.items() if len(value) > 8 and value in text]
    given = {name.lower(): value for name, value in settings_in(production).items()}
    assert given.keys() <= Settings.model_fields.keys()
    with pytest.raises(ValueError, match="JWT_SECRET_KEY"):
        Settings(_env_file=None, **given, kafka_username="u", kafka_password="p")
    strong = {name: f"{name}-{'x' * 32}" for name in DEVELOPMENT_SECRETS}
    url = "postgresql://u:p@postgres.example/eventpipeline?sslmode=verify-full"
    settings = Settings(_env_file=None, **given, **strong, kafka_username="u", kafka_password="p", database_url=url)
    assert settings.secured


def test_production_is_pinned_and_calls_by_our_trigger(production: Documents) -> None:
    """Each image of ours is named by digest; nothing delivers without the service key; no sample signals flow."""
    images = [one["image"] for document in production for one in pod_spec(document).get("containers", [])]
    assert images
    assert not [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$", image)]
    assert not {"KafkaSource", "PingSource", "ContainerSource"} & {one["kind"] for one in production}


def test_a_change_of_settings_makes_a_new_revision(dev: Documents) -> None:
    """The ConfigMap's name has a hash of its content, and every pod names it so."""
    ((name, _),) = of_kind(dev, "ConfigMap").items()
    assert re.fullmatch(r"signal-pipeline-[a-z0-9]{10}", name)
    named = [
        source["configMapRef"]["name"]
        for document in dev
        for container in pod_spec(document).get("containers", [])
        for source in container.get("envFrom", [])
        if "configMapRef" in source
    ]
    assert named == [name] * 8  # six functions, the rate source, the migration


def test_prometheus_finds_every_page(production: Documents) -> None:
    """Functions at the port that the pod's annotation names, triggers at their own; the network lets it through."""
    ((_, monitor),) = of_kind(production, "PodMonitor").items()
    function, trigger = monitor["spec"]["podMetricsEndpoints"]
    (relabeling,) = function["relabelings"]
    matched = re.fullmatch(relabeling["regex"], "10.1.2.3;9012")
    assert matched
    assert matched.expand(relabeling["replacement"].replace("$", "\\")) == "10.1.2.3:9012"
    assert (function["port"], trigger["port"]) == ("user-port", "metrics")
    policy = of_kind(production, "NetworkPolicy")["prometheus-reads-metrics"]["spec"]["ingress"][0]["ports"]
    open_ports = {port for one in policy for port in range(one["port"], one["endPort"] + 1)}
    annotated = {one["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"]
                 for one in functions(production).values()}  # fmt: skip
    declared = {port["containerPort"] for one in of_kind(production, "Deployment").values()
                for port in pod_spec(one)["containers"][0]["ports"]}  # fmt: skip
    assert {int(port) for port in annotated} | declared <= open_ports
    assert declared == {role.trigger_port for role in ROLES if role.name in CONSUMED}


def test_what_func_deploys_is_sized_as_what_kustomize_applies(dev: Documents) -> None:
    """A function has the same concurrency, scale and resources whichever way it comes into the cluster."""
    for name, service in functions(dev).items():
        template = service["spec"]["template"]
        (container,) = template["spec"]["containers"]
        func = yaml.safe_load((ROOT / "functions" / name / "func.yaml").read_text())
        options = func["deploy"]["options"]
        assert options["resources"]["limits"].pop("concurrency") == template["spec"]["containerConcurrency"]
        assert options["resources"] == container["resources"]
        annotations = template["metadata"]["annotations"]
        assert str(options["scale"]["min"]) == annotations["autoscaling.knative.dev/min-scale"]
        assert str(options["scale"]["max"]) == annotations["autoscaling.knative.dev/max-scale"]
        assert func["deploy"]["annotations"]["prometheus.io/port"] == annotations["prometheus.io/port"]


def test_the_image_has_the_projects_version() -> None:
    """The development overlay names the version that the project has."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (image,) = yaml.safe_load((FOLDER / "overlays" / "dev" / "kustomization.yaml").read_text())["images"]
    assert image["newTag"] == version
