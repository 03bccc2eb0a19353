"""What a trigger guarantees, on a real broker with a function that dies."""

import re
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp
from confluent_kafka import Producer

from signal_pipeline.domain.dead_letters import original_headers
from tests.integration.kafka_fixture import KafkaBroker
from tests.integration.trigger.conftest import (
    DEADLINE_SECONDS,
    PARTITIONS,
    PROTOCOLS,
    FunctionProcess,
    Protocol,
    drained,
    make_trigger,
    outgoing,
    produce,
    running,
    until,
)


async def test_10000_events_with_poison_while_the_function_dies(kafka: KafkaBroker, function: FunctionProcess) -> None:
    """Every event lands, the dead letters are exactly the poison with its bytes, and the group commits to the end."""
    topic, letters, total = kafka.topic(PARTITIONS), kafka.topic(), 10_000
    records = [outgoing(topic, number, poison=number % 100 == 50) for number in range(total)]
    healthy = {f"id-{number}" for number in range(total) if number % 100 != 50}
    await produce(kafka, records[: total // 2])
    trigger = make_trigger(function, topic, letters)
    async with running(trigger, kafka):
        await until(lambda: len(function.landed()) >= 1000)
        function.kill()
        at_the_kill = len(function.landed())
        assert at_the_kill < len(healthy), "the function died after the work was done"
        await produce(kafka, records[total // 2 :])
        function.start()
        await until(lambda: drained(kafka, trigger.group, topic))
    assert set(function.landed()) == healthy
    written = kafka.records(letters)
    poisoned = [one for one in records if (one.value or b"").startswith(b"poison")]
    key = lambda one: (one[0], one[1])  # noqa: E731
    assert sorted(((one.key, one.value, original_headers(one.headers)) for one in written), key=key) == sorted(
        ((one.key, one.value, one.headers) for one in poisoned), key=key
    )
    assert Counter(dict(one.headers)["ce_dlqclass"] for one in written) == Counter({b"invalid": len(poisoned)})


@PROTOCOLS
async def test_two_triggers_share_a_topic_and_hand_it_over_without_loss(
    kafka: KafkaBroker, function: FunctionProcess, protocol: Protocol
) -> None:
    """A second trigger joins and the first leaves in the middle: nothing is lost, nothing is delivered twice."""
    topic, letters, total = kafka.topic(PARTITIONS), kafka.topic(), 20_000
    await produce(kafka, [outgoing(topic, number) for number in range(total // 2)])
    trigger = make_trigger(function, topic, letters, protocol=protocol)
    async with AsyncExitStack() as second:
        async with running(trigger, kafka):
            await until(lambda: len(function.landed()) >= 1000)
            await second.enter_async_context(running(trigger, kafka))
            await produce(kafka, [outgoing(topic, number) for number in range(total // 2, total)])
        await until(lambda: drained(kafka, trigger.group, topic))
    assert function.landed() == Counter(f"id-{number}" for number in range(total))


@PROTOCOLS
async def test_gaps_of_transactions_leave_no_lag(
    kafka: KafkaBroker, function: FunctionProcess, protocol: Protocol
) -> None:
    """Aborted events are not delivered, and markers behind the last event are committed over."""
    topic, letters = kafka.topic(), kafka.topic()
    producer = Producer({"bootstrap.servers": kafka.settings.kafka_bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(DEADLINE_SECONDS)
    for number, end in enumerate([producer.commit_transaction, producer.abort_transaction] * 2):
        one = outgoing(topic, number)
        producer.begin_transaction()
        producer.produce(topic, one.value, one.key, headers=list(one.headers))
        producer.flush(DEADLINE_SECONDS)
        end(DEADLINE_SECONDS)
    trigger = make_trigger(function, topic, letters, protocol=protocol)
    async with running(trigger, kafka):
        await until(lambda: drained(kafka, trigger.group, topic, 1))
    assert function.landed() == Counter(["id-0", "id-2"])
    assert kafka.ends(topic) == {0: 8}  # four events and a marker behind each


async def test_lag_is_true_while_the_function_is_down(kafka: KafkaBroker, function: FunctionProcess) -> None:
    """The metric is log end minus committed offset, also when nothing moves, and zero after the recovery."""
    topic, letters = kafka.topic(PARTITIONS), kafka.topic()
    function.kill()
    trigger = make_trigger(function, topic, letters)
    async with running(trigger, kafka) as port, aiohttp.ClientSession() as session:

        async def lag_is(expected: int) -> bool:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as page:
                found = re.search(r"^consumer_lag (\S+)$", await page.text(), re.MULTILINE)
                return found is not None and float(found[1]) == expected

        async def ready() -> bool:
            async with session.get(f"http://127.0.0.1:{port}/ready") as page:
                return page.status == 200

        await until(ready)
        await until(lambda: lag_is(0))
        await produce(kafka, [outgoing(topic, number) for number in range(300)])
        await until(lambda: lag_is(300))
        await produce(kafka, [outgoing(topic, number) for number in range(300, 450)])
        await until(lambda: lag_is(450))
        function.start()
        await until(lambda: lag_is(0))


async def test_without_a_dead_letter_topic_the_partition_stops_at_its_poison(
    kafka: KafkaBroker, function: FunctionProcess
) -> None:
    """The poison is never skipped; other partitions go on."""
    topic = kafka.topic(PARTITIONS)
    trigger = make_trigger(function, topic, "topic-that-is-not-there")
    records = [outgoing(topic, number, poison=number == 10) for number in range(600)]
    await produce(kafka, records)
    partition = next(one.partition for one in kafka.records(topic) if (one.value or b"").startswith(b"poison"))
    place = next(one.offset for one in kafka.records(topic) if (one.value or b"").startswith(b"poison"))
    ends = kafka.ends(topic)
    async with running(trigger, kafka):
        others = {number: end for number, end in ends.items() if number != partition}
        await until(lambda: others.items() <= kafka.committed(trigger.group, topic, PARTITIONS).items())
        assert kafka.committed(trigger.group, topic, PARTITIONS)[partition] <= place
    assert kafka.committed(trigger.group, topic, PARTITIONS)[partition] <= place


@PROTOCOLS
async def test_either_group_protocol_drains_a_topic(
    kafka: KafkaBroker, function: FunctionProcess, protocol: Protocol
) -> None:
    """The trigger works with the classic protocol and with that of KIP-848."""
    topic, letters, total = kafka.topic(PARTITIONS), kafka.topic(), 5_000
    await produce(kafka, [outgoing(topic, number) for number in range(total)])
    trigger = make_trigger(function, topic, letters, protocol=protocol)
    async with running(trigger, kafka):
        await until(lambda: drained(kafka, trigger.group, topic))
    assert set(function.landed()) == {f"id-{number}" for number in range(total)}
