"""What may be deployed, removed and scaled, and how a function is shown."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from local.deployments import Deployment, Resources
from local.gateway.orders import Deploy, Scale, SystemRefusal
from local.gateway.statuses import Facts, function_status
from local.layout import ROOT
from signal_pipeline.topology import ROLES

IMAGE = "localhost:5000/signal-pipeline/emit:0.1.0"


def deploy(**more: Any) -> Deploy:
    """Return an order as faas-cli gives it."""
    return Deploy.model_validate({"service": "emit", "image": IMAGE, **more})


def test_all_of_a_deployment_is_remembered() -> None:
    """The names are OpenFaaS'; a null is nothing; what this program does not know is ignored."""
    order = deploy(
        namespace="openfaas-fn", envProcess="run", envVars={"LOG_LEVEL": "debug", "PORT": "8080"}, constraints=None,
        secrets=["a"], labels={"l": "1"}, annotations=None, limits={"memory": "1Gi", "cpu": None}, requests=None,
        readOnlyRootFilesystem=True, network="x",
    )  # fmt: skip
    assert order.role() == "emit"
    assert order.deployment() == Deployment(
        image=IMAGE, env_process="run", env_vars={"LOG_LEVEL": "debug", "PORT": "8080"}, not_applied=("PORT",),
        applied={"LOG_LEVEL": "debug"}, secrets=("a",), labels={"l": "1"}, limits=Resources(memory="1Gi"),
        read_only_root_filesystem=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "image",
    [
        "signal-pipeline",
        "signal-pipeline:local",
        "localhost:5000/signal-pipeline/emit:0.1.0",
        "ghcr.example/team/signal-pipeline/emit:1@sha256:" + "0" * 64,
    ],
)
def test_the_image_of_this_program_is_taken(image: str) -> None:
    """Whatever its registry, tag and digest are: the code is the checkout's."""
    assert deploy(image=image).deployment().image == image


@pytest.mark.parametrize("image", ["", "figlet", "signal-pipeline-x", "x/signal-pipeline/a/b", "signal-pipeline:a b"])
def test_another_image_is_refused(image: str) -> None:
    """There are no containers here that could run it."""
    with pytest.raises(SystemRefusal, match="no other image can be run here") as caught:
        deploy(image=image).deployment()
    assert caught.value.status == 400


def test_another_namespace_is_refused() -> None:
    """As a provider without it answers."""
    with pytest.raises(SystemRefusal, match=r"^namespace not valid$"):
        deploy(namespace="other").deployment()


def test_a_name_that_is_no_role_is_refused_with_those_that_are() -> None:
    """Nothing else can be run here."""
    with pytest.raises(SystemRefusal, match="figlet is no function of this pipeline; there are emit, process-signal"):
        deploy(service="figlet").role()


@pytest.mark.parametrize("replicas", [-1, 1.5, "many", 2**64])
def test_replicas_are_a_whole_number(replicas: object) -> None:
    """As Go's uint64."""
    with pytest.raises(ValidationError):
        Scale.model_validate({"serviceName": "emit", "replicas": replicas})


def facts(state: str, **more: Any) -> Facts:
    """Return what is known of a function in a state."""
    known = {"deployment": Deployment(), "topics": (), "calls": 0.0, "started_at": None, **more}
    return Facts(name="emit", snapshot={"state": state, "memory": 1024, "pid": 1}, **known)


@pytest.mark.parametrize(
    ("state", "wanted", "available"),
    [("ready", 1, 1), ("starting", 1, 0), ("backoff", 1, 0), ("failed", 1, 0), ("waiting", 1, 0), ("stopped", 0, 0)],
)
def test_replicas_are_those_that_are_to_run_and_those_that_serve(state: str, wanted: int, available: int) -> None:
    """A function that fails is wanted and not available; 0 is left out, as by OpenFaaS."""
    status = function_status(facts(state))
    assert (status.get("replicas", 0), status.get("availableReplicas", 0)) == (wanted, available)
    assert all(status[name] for name in status), "nothing that is shown is empty"


def test_a_function_is_shown_as_it_was_deployed() -> None:
    """With its topics, unless it was deployed with others, and with what of its variables is not used."""
    deployed = Deployment(
        image="i", env_vars={"PORT": "1"}, not_applied=("PORT",), annotations={"a": "b"}, labels={"l": "1"},
        limits=Resources(memory="1Gi"), requests=Resources(), secrets=("s",),
    )  # fmt: skip
    began = datetime(2026, 1, 1, tzinfo=UTC)
    known = facts("ready", deployment=deployed, topics=("x", "y"), calls=2.0, started_at=began)
    assert function_status(known, usage=True) == {
        "name": "emit", "image": "i", "namespace": "openfaas-fn", "envProcess": "python -m signal_pipeline serve emit",
        "envVars": {"PORT": "1"}, "labels": {"faas_function": "emit", "l": "1"}, "secrets": ["s"],
        "annotations": {"topic": "x,y", "a": "b", "local.signal-pipeline.dev/not-applied": "PORT"},
        "limits": {"memory": "1Gi"}, "invocationCount": 2.0, "replicas": 1, "availableReplicas": 1,
        "createdAt": "2026-01-01T00:00:00Z", "usage": {"totalMemoryBytes": 1024},
    }  # fmt: skip
    own = facts("ready", deployment=Deployment(annotations={"topic": "z"}), topics=("x",))
    assert function_status(own)["annotations"] == {"topic": "z"}


@pytest.mark.parametrize("name", [role.name for role in ROLES])
def test_the_functions_of_stack_yml_can_be_deployed_here(name: str) -> None:
    """It is written for a cluster: nothing in it is refused, and of its addresses nothing is applied."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "stack.yml").read_text())  # as faas-cli fills it in
    written = yaml.safe_load(text)["functions"][name]
    order = deploy(
        service=name, image=written["image"], envVars={k: str(v) for k, v in written["environment"].items()},
        **{field: written.get(field) for field in ("labels", "annotations", "secrets", "limits", "requests")},
    )  # fmt: skip
    assert order.role() == name
    found = order.deployment()
    assert {"ROLE", "PORT", "KAFKA_BOOTSTRAP_SERVERS"} <= set(found.not_applied)
    assert not any("URL" in variable or "FILE" in variable for variable in found.applied)
