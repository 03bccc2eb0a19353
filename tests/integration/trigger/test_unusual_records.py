"""Records that nobody should write, and that must not stop a trigger."""

from collections import Counter

from signal_pipeline.domain.dead_letters import original_headers
from signal_pipeline.events.client_headers import UNREADABLE
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.trigger.conftest import (
    FunctionProcess,
    drained,
    make_trigger,
    outgoing,
    produce,
    running,
    until,
)
from tests.support.header_names import produce_with_header_name


async def test_a_header_name_that_is_no_text_is_poison(kafka: KafkaBroker, function: FunctionProcess) -> None:
    """The record becomes a dead letter, with its value and the place of what could not be read; its neighbours land."""
    topic, letters = kafka.topic(), kafka.topic()
    await produce(kafka, [outgoing(topic, 0)])
    produce_with_header_name(kafka.settings.kafka_bootstrap_servers, topic, b"\xff\xfe", b'{"id":"x"}')
    await produce(kafka, [outgoing(topic, 1)])
    trigger = make_trigger(function, topic, letters)
    async with running(trigger, kafka):
        await until(lambda: drained(kafka, trigger.group, topic, 1))
    assert function.landed() == Counter(["id-0", "id-1"])
    (letter,) = kafka.records(letters)
    assert (letter.value, original_headers(letter.headers)) == (b'{"id":"x"}', UNREADABLE)
    assert dict(letter.headers)["ce_dlqoffset"] == b"1"
