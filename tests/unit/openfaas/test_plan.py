"""Which triggers a deployed function gets, of its annotations and its manifest."""

from typing import Any

import pytest

from local.gateway.statuses import NOT_APPLIED
from local.layout import ROOT
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from signal_pipeline.trigger.manifest import KafkaTrigger, RateTrigger, ScheduleTrigger, Trigger, load_triggers
from signal_pipeline.trigger.openfaas.gateway import DeployedFunction
from signal_pipeline.trigger.openfaas.plan import Planner
from signal_pipeline.trigger.schema import KafkaAnnotations
from tests.support.stack_file import read_stack

SETTINGS = Settings(_env_file=None)
TRIGGERS = ROOT / "triggers"
# What the way through the gateway changes of a trigger.
ADDRESSED = {"url", "through_gateway"}


def planned(name: str, annotations: dict[str, str], settings: Settings = SETTINGS) -> tuple[Trigger, ...]:
    """Plan for a function with the shipped manifests."""
    planner = Planner(settings, folder=TRIGGERS, address=lambda function: f"http://gateway/function/{function}")
    return planner.triggers_of(DeployedFunction(name=name, annotations=annotations))


def subscribed(**ours: str) -> KafkaTrigger:
    """Plan for a function without a manifest on the topic `orders`."""
    named = {f"signal-pipeline.dev/{name.replace('_', '-')}": text for name, text in ours.items()}
    (trigger,) = planned("orders", {"topic": "orders", **named})
    assert isinstance(trigger, KafkaTrigger)
    return trigger


def fields(trigger: Trigger) -> dict[str, Any]:
    """Return a trigger's fields but for its address."""
    return {name: value for name, value in vars(trigger).items() if name not in ADDRESSED}


@pytest.mark.parametrize("name", [role.name for role in ROLES if role.trigger_port is not None])
def test_what_stack_yml_deploys_gets_the_shipped_triggers(name: str) -> None:
    """With the annotations of stack.yml every role has the controls of its manifest, called through the gateway."""
    found = planned(name, read_stack(ROOT / "stack.yml").functions[name].annotations)
    shipped = load_triggers(name, SETTINGS, folder=TRIGGERS)
    assert [fields(one) for one in found] == [fields(one) for one in shipped]
    paths = {"KafkaTrigger": "", "RateTrigger": "/emit"}
    for one in found:
        path = paths.get(type(one).__name__) or {"process-signal-purge": "/purge", "replay-dlq-tick": "/tick"}.get(
            one.name
        )
        assert one.url == f"http://gateway/function/{name}{path or ''}"


def test_what_the_local_gateway_notes_is_no_control() -> None:
    """A function that was deployed at the local gateway is called as any other."""
    noted = {NOT_APPLIED: "PORT,ROLE", "topic": "signal-events"}
    assert planned("process-signal", noted) == planned("process-signal", {"topic": "signal-events"})


@pytest.mark.parametrize("name", ["kafka-sinks", "kustomization"])
def test_files_beside_the_manifests_are_none(name: str) -> None:
    """A function of such a name is one of somebody else."""
    (trigger,) = planned(name, {"topic": "orders"})
    assert isinstance(trigger, KafkaTrigger)
    assert trigger.group == name


def test_a_function_of_somebody_else() -> None:
    """Without a manifest the defaults hold, the group is the function's name, and quarantine takes what is given up."""
    trigger = subscribed()
    assert (trigger.topics, trigger.group, trigger.function) == (("orders",), "orders", "orders")
    assert (trigger.batch, trigger.max_attempts, trigger.offset_reset) == (True, 5, "earliest")
    assert (trigger.dead_letter_topic, trigger.through_gateway) == ("signal-events-quarantine", True)


def test_controls_are_annotations() -> None:
    """Every control of a manifest can stand at the function, and so can four fields of its spec."""
    trigger = subscribed(
        batch_size="7", in_flight="3", retry="1", timeout="PT2S", dead_letter_sink="signal-events-dlq",
        initial_offset="latest",
    )  # fmt: skip
    assert (trigger.batch_events, trigger.in_flight, trigger.max_attempts, trigger.timeout_seconds) == (7, 3, 2, 2.0)
    assert (trigger.dead_letter_topic, trigger.offset_reset) == ("signal-events-dlq", "latest")
    (kept, *_) = planned("process-signal", {"topic": "signal-events", "signal-pipeline.dev/batch-size": "7"})
    assert isinstance(kept, KafkaTrigger)
    assert (kept.batch_events, kept.group, kept.quarantine_topic) == (7, "process-signal", "signal-events-quarantine")


def test_single_events_and_the_form_of_openfaas_own_connector() -> None:
    """`mode: single` sends one event a request; `wire: openfaas` does too, whatever the mode."""
    assert not subscribed(mode="single").batch
    wired = subscribed(wire="openfaas", mode="batch")
    assert (wired.batch, wired.wire) == (False, "openfaas")


def test_topics_are_the_annotations() -> None:
    """Also where a manifest names others: what is deployed decides."""
    (kafka, purge) = planned("process-signal", {"topic": "one,two"})
    assert isinstance(kafka, KafkaTrigger)
    assert kafka.topics == ("one", "two")
    assert isinstance(purge, ScheduleTrigger)


def test_without_a_topic_only_rate_and_schedule_run() -> None:
    """A role that is deployed without the annotation keeps its schedule; a stranger gets nothing."""
    (rate,) = planned("emit", {})
    assert isinstance(rate, RateTrigger)
    (tick,) = planned("replay-dlq", {})
    assert isinstance(tick, ScheduleTrigger)
    assert planned("auth", {}) == planned("nodeinfo", {"topic": " , "}) == ()


def test_functions_know_the_connector_where_security_is_on() -> None:
    """The service key travels as with the local trigger, and no login of the gateway does."""
    settings = Settings(_env_file=None, security="on", openfaas_username="admin", openfaas_password="secret")
    (trigger,) = planned("orders", {"topic": "orders"}, settings)
    assert isinstance(trigger, KafkaTrigger)
    assert trigger.credential == {"x-api-key": "dev-service-key-123"}


@pytest.mark.parametrize(
    ("annotations", "named"),
    [
        ({"batch-size": "many"}, "batch-size"),
        ({"batchsize": "1"}, "batchsize"),
        ({"dead-letter-sink": "nowhere"}, "nowhere"),
        ({"retry": "-1"}, "retry"),
        ({"wire": "paper"}, "wire"),
    ],
)
def test_a_wrong_annotation_is_named(annotations: dict[str, str], named: str) -> None:
    """The message says which function and which field."""
    ours = {f"signal-pipeline.dev/{name}": text for name, text in annotations.items()}
    with pytest.raises(ConfigurationError, match=named) as caught:
        planned("orders", {"topic": "orders", **ours})
    assert "orders" in str(caught.value)


def test_dead_letters_never_come_back_to_the_function() -> None:
    """A function on the topic of its own dead letters is refused."""
    with pytest.raises(ConfigurationError, match="would go back"):
        planned("watcher", {"topic": "signal-events-quarantine"})


def test_the_guide_describes_every_control() -> None:
    """Each annotation of ours stands in the table of docs/platforms/openfaas.md."""
    page = (ROOT / "docs" / "platforms" / "openfaas.md").read_text()
    names = {str(field.alias) for field in KafkaAnnotations.model_fields.values()}
    names |= {"initial-offset", "retry", "timeout", "dead-letter-sink"}
    assert [
        name for name in sorted(names) if f"`{name}`" not in page and f"`signal-pipeline.dev/{name}" not in page
    ] == []
