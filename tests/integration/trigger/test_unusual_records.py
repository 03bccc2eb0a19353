"""Records that nobody should write, and that must not stop a trigger."""

from collections import Counter

from confluent_kafka import Producer

from signal_pipeline.domain.dead_letters import NAMES, original_headers
from signal_pipeline.events.client_headers import UNREADABLE
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.trigger.conftest import (
    DEADLINE_SECONDS,
    FunctionProcess,
    drained,
    make_trigger,
    outgoing,
    produce,
    running,
    until,
)
from tests.support.header_names import produce_with_header_name

_WARM = 200


async def test_a_header_name_that_is_no_text_is_poison(kafka: KafkaBroker, function: FunctionProcess) -> None:
    """The record becomes a dead letter, with its value and the place of what could not be read; its neighbours land.

    It is not the first that is read: once a call was made some times, Python no longer looks at what came of it.
    """
    topic, letters = kafka.topic(), kafka.topic()
    await produce(kafka, [outgoing(topic, number) for number in range(_WARM)])
    produce_with_header_name(kafka.settings.kafka_bootstrap_servers, topic, b"\xff\xfe", b'{"id":"x"}')
    await produce(kafka, [outgoing(topic, _WARM)])
    trigger = make_trigger(function, topic, letters)
    async with running(trigger, kafka):
        await until(lambda: drained(kafka, trigger.group, topic, 1))
    assert function.landed() == Counter(f"id-{number}" for number in range(_WARM + 1))
    (letter,) = kafka.records(letters)
    assert (letter.value, original_headers(letter.headers)) == (b'{"id":"x"}', UNREADABLE)
    assert dict(letter.headers)["ce_dlqoffset"] == b"%d" % _WARM


async def test_a_record_that_grows_beyond_every_topic_becomes_a_dead_letter_of_its_place(
    kafka: KafkaBroker, function: FunctionProcess
) -> None:
    """4 MiB that came compressed fit no dead letter: it says where they are and how many, and the partition goes on."""
    topic, letters, value = kafka.topic(), kafka.topic(), b"poison" + bytes(4 * 1024 * 1024)
    servers = {"bootstrap.servers": kafka.settings.kafka_bootstrap_servers}
    producer = Producer({**servers, "message.max.bytes": 2 * len(value), "compression.type": "zstd"})
    producer.produce(topic, value, b"key", headers=[("ce_specversion", b"1.0"), ("ce_id", b"large")])
    assert producer.flush(DEADLINE_SECONDS) == 0
    await produce(kafka, [outgoing(topic, 1)])
    trigger = make_trigger(function, topic, letters)
    async with running(trigger, kafka):
        await until(lambda: drained(kafka, trigger.group, topic, 1))
    assert function.landed() == Counter(["id-1"])
    (letter,) = kafka.records(letters)
    assert (letter.key, letter.value) == (None, None)
    assert tuple(name for name, _ in letter.headers) == NAMES
    said = {name: (content or b"").decode() for name, content in letter.headers}
    assert (said["ce_dlqoffset"], said["ce_dlqclass"], said["ce_dlqcode"]) == ("0", "invalid", "not_json")
    assert f"key and value of {len(value) + 3} bytes" in said["ce_dlqmessage"]
