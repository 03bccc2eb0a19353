"""The AsyncAPI document is valid, and says of the topics what the product does with them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from jsonschema.validators import validator_for

from signal_pipeline.broker.admin import topic_settings
from signal_pipeline.domain.dead_letters import NAMES
from signal_pipeline.serving.contracts import SCHEMAS, asyncapi_document, schema_document
from signal_pipeline.topology import TOPICS

ROOT = Path(__file__).parents[3]
SPECIFICATION = Path(sys.prefix) / "node" / "node_modules" / "@asyncapi" / "specs" / "schemas"
DOCUMENT = json.loads(asyncapi_document())


def references(part: Any) -> Iterator[str]:
    """Yield every reference below a part of the document."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if key == "$ref":
            yield value
        else:
            yield from references(value)


def target(reference: str) -> Any:
    """Return what a reference of the document leads to; `LookupError` when it leads nowhere."""
    found = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def faults_of(document: Any) -> list[str]:
    """Return what the official schema of AsyncAPI finds in a document."""
    schema = json.loads((SPECIFICATION / f"{document['asyncapi']}-without-$id.json").read_text())
    return [f"{fault.json_path}: {fault.message}" for fault in Draft7Validator(schema).iter_errors(document)]


def test_the_document_keeps_the_official_schema() -> None:
    """The schema that the AsyncAPI initiative publishes for version 3.0 finds no fault."""
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert faults_of(DOCUMENT) == []


@pytest.mark.parametrize("broken", [{"channels": {"a": {"adress": "a"}}}, {"info": {}}, {"operations": {"a": {}}}])
def test_the_official_schema_finds_faults(broken: dict[str, Any]) -> None:
    """A misspelt or missing member is found."""
    assert faults_of({**DOCUMENT, **broken}) != []


def test_references_lead_somewhere() -> None:
    """The served document is whole: every reference stays within it and has a target."""
    found = list(references(DOCUMENT))
    assert len(found) > 50
    assert [each for each in found if not each.startswith("#/") or target(each) is None] == []


def test_channels_are_the_topics() -> None:
    """Each topic is a channel with its partitions, retention and largest message."""
    told = {}
    for channel in DOCUMENT["channels"].values():
        kafka = channel["bindings"]["kafka"]
        settings = {name: str(value) for name, value in kafka["topicConfiguration"].items()}
        told[channel["address"]] = (kafka["partitions"], settings)
    done = {}
    for topic in TOPICS:
        settings = topic_settings(topic)
        kept = {name: settings[name] for name in ("retention.ms", "max.message.bytes")}
        done[topic.name] = (topic.partitions, kept)
    assert told == done


def test_receivers_are_the_consumer_groups_of_the_triggers() -> None:
    """Each Kafka source reads the topic that its operation names, as the group that it names."""
    told = {
        (operation["bindings"]["kafka"]["groupId"]["const"], target(operation["channel"]["$ref"])["address"])
        for operation in DOCUMENT["operations"].values()
        if operation["action"] == "receive"
    }
    manifests = [each for path in (ROOT / "triggers").glob("*.yaml") for each in yaml.safe_load_all(path.read_text())]
    specs = [each["spec"] for each in manifests if each and each["kind"] == "KafkaSource"]
    assert told == {(spec["consumerGroup"], topic) for spec in specs for topic in spec["topics"]}


def test_dead_letter_headers_are_those_that_are_written() -> None:
    """The schema requires exactly the sixteen headers, in their order."""
    headers = DOCUMENT["components"]["schemas"]["dead-letter-headers"]
    assert tuple(headers["required"]) == tuple(headers["properties"]) == NAMES


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_sound_in_both_drafts(name: str) -> None:
    """A schema is valid JSON Schema, its examples fit it, and it means the same to a reader of draft 7."""
    schema = json.loads(schema_document(name))
    kind = validator_for(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for validator in (kind, Draft7Validator):
        validator.check_schema(schema)
        for example in schema.get("examples", ()):
            validator(schema).validate(example)
    # Beside a reference draft 7 sees nothing, and these words it does not know.
    text = json.dumps(schema)
    assert not any(word in text for word in ("dependentSchemas", "unevaluated", "prefixItems", "$dynamicRef"))
    assert all(len(part) == 1 for part in _parts(schema) if "$ref" in part)


def _parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(each)
