"""Reading manifests: what ships is valid, and what is wrong is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES, TOPICS
from signal_pipeline.trigger.manifest import KafkaTrigger, RateTrigger, ScheduleTrigger, load_triggers

TRIGGERS = Path(__file__).parents[3] / "triggers"
SETTINGS = Settings(_env_file=None)
Change = Callable[[dict[str, object]], object]


@pytest.mark.parametrize("role", [role.name for role in ROLES if role.trigger_port is not None])
def test_every_role_with_a_trigger_has_a_manifest(role: str) -> None:
    """What ships is valid, consumes topics that exist and gives up to topics that exist."""
    names = {topic.name for topic in TOPICS}
    for trigger in load_triggers(role, SETTINGS, folder=TRIGGERS):
        if isinstance(trigger, KafkaTrigger):
            assert {*trigger.topics, trigger.dead_letter_topic} <= names
            assert trigger.group == trigger.function == role


def test_the_kinds_of_sources() -> None:
    """Emit is driven at a rate; replay-dlq by its topic, whole records, and by a schedule."""
    (rate,) = load_triggers("emit", SETTINGS, folder=TRIGGERS)
    assert isinstance(rate, RateTrigger)
    assert rate.url == "http://127.0.0.1:8001/emit"
    letters, tick = load_triggers("replay-dlq", SETTINGS, folder=TRIGGERS)
    assert isinstance(letters, KafkaTrigger)
    assert letters.wrap_record
    assert letters.dead_letter_topic == "signal-events-quarantine"
    assert isinstance(tick, ScheduleTrigger)
    assert (tick.url, tick.interval_seconds) == ("http://127.0.0.1:8005/tick", 5)


def test_process_signal_is_delivered_in_batches_of_1000_in_order() -> None:
    """The fields of the manifest arrive with their meaning."""
    trigger = load_triggers("process-signal", SETTINGS, folder=TRIGGERS)[0]
    assert isinstance(trigger, KafkaTrigger)
    assert (trigger.batch, trigger.batch_events, trigger.in_flight) == (True, 1000, 2)
    assert (trigger.max_attempts, trigger.timeout_seconds) == (5, 30)
    assert (trigger.backoff.base_seconds, trigger.backoff.cap_seconds) == (0.2, 10)
    assert (trigger.offset_reset, trigger.quarantine_topic) == ("earliest", "signal-events-quarantine")


def test_the_address_of_a_function_is_a_setting() -> None:
    """A reference means the address in the settings, with the manifest's path."""
    settings = Settings(_env_file=None, function_url_emit="https://emit.example/base/")
    (rate,) = load_triggers("emit", settings, folder=TRIGGERS)
    assert isinstance(rate, RateTrigger)
    assert rate.url == "https://emit.example/base/emit"


@pytest.mark.parametrize(
    ("role", "injected", "urls"),
    [
        ("emit", "http://emit.test.svc/emit", ["http://emit.test.svc/emit"]),
        ("process-signal", "http://ps.test.svc", ["http://ps.test.svc/", "http://ps.test.svc/purge"]),
        ("replay-dlq", "http://letters.test.svc/", ["http://letters.test.svc/", "http://letters.test.svc/tick"]),
    ],
)
def test_the_sink_that_knative_injects(role: str, injected: str, urls: list[str]) -> None:
    """K_SINK goes before the setting; it has the path of the sink it stands for, and the others get their own."""
    settings = Settings(_env_file=None, k_sink=injected, function_url_emit="http://elsewhere")
    assert [one.url for one in load_triggers(role, settings, folder=TRIGGERS)] == urls


def annotate(name: str, value: str) -> Change:
    """Set one of our annotations."""
    return lambda one: one["metadata"]["annotations"].update({f"signal-pipeline.dev/{name}": value})  # type: ignore[index]


def spec(name: str, value: object) -> Change:
    """Set a field of the spec."""
    return lambda one: one["spec"].update({name: value})  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (annotate("batch-size", "many"), "batch-size"),
        (annotate("batch-size", "0"), "batch-size"),
        (annotate("batch-window", "soon"), "batch-window"),
        (annotate("in-flight", "0"), "in-flight"),
        (annotate("max-event-age", "-PT1S"), "max-event-age"),
        (annotate("batchsize", "1"), "batchsize"),
        (annotate("wrap", "paper"), "wrap"),
        (annotate("quarantine-sink", "nowhere"), "nowhere"),
        (spec("topics", []), "topics"),
        (spec("topics", ["signal-events-dlq"]), "signal-events-dlq"),
        (spec("consumerGroup", ""), "consumerGroup"),
        (spec("initialOffset", "yesterday"), "initialOffset"),
        (spec("delivery", {"retry": 3}), "deadLetterSink"),
        (spec("sink", {"ref": {"kind": "Service", "name": "nobody"}}), "nobody"),
        (lambda one: one.update(kind="Trigger"), "Trigger"),
        (lambda one: one.update(apiVersion="v2"), "apiVersion"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, change: Change, named: str) -> None:
    """The message says which file and which field; a misspelt annotation of ours is wrong, not ignored."""
    manifest = next(yaml.safe_load_all((TRIGGERS / "process-signal.yaml").read_text()))
    change(manifest)
    (tmp_path / "kafka-sinks.yaml").write_text((TRIGGERS / "kafka-sinks.yaml").read_text())
    (tmp_path / "process-signal.yaml").write_text(yaml.safe_dump(manifest))
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_triggers("process-signal", SETTINGS, folder=tmp_path)
    assert "process-signal.yaml" in str(caught.value)


@pytest.mark.parametrize("text", [None, "a: [", "- 1", ""])
def test_a_missing_or_broken_file_is_said(tmp_path: Path, text: str | None) -> None:
    """No file, no YAML, no mapping, nothing in it."""
    (tmp_path / "kafka-sinks.yaml").write_text("")
    if text is not None:
        (tmp_path / "emit.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=r"emit\.yaml"):
        load_triggers("emit", SETTINGS, folder=tmp_path)
