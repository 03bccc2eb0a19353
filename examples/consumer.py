"""Receive anomaly events from Kafka with the CloudEvents SDK, each one once.

    python examples/consumer.py --group my-group

Delivery is at least once: after a crash on either side an event may come again, with the same `ce_id`. So the consumer
processes first and commits its offset afterwards, and skips ids that it has seen. A real consumer keeps the ids in the
same transaction as its effect; this one keeps the latest ones in memory, which covers repetitions while it runs.
"""

import argparse
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from cloudevents.http import CloudEvent
from cloudevents.kafka import KafkaMessage, from_binary
from confluent_kafka import Consumer, KafkaException, Message

REMEMBERED_IDS = 100_000


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstrap-servers", default="127.0.0.1:9092", help="Kafka")
    parser.add_argument("--topic", default="anomaly-events")
    parser.add_argument("--group", default="example-consumer", help="consumer group; offsets are kept under it")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="stop once nothing has arrived for this long")
    return parser.parse_args()


def messages(consumer: Consumer, idle: float | None) -> Iterator[Message]:
    """Yield what arrives, until nothing has for `idle` seconds; raises `KafkaException` when the broker refuses."""
    latest = time.monotonic()
    while idle is None or time.monotonic() < latest + idle:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is not None:
            raise KafkaException(message.error())
        yield message
        latest = time.monotonic()


def decode(message: Message) -> CloudEvent:
    """Return the CloudEvent of a record in Kafka's binary mode."""
    headers = {str(name): content for name, content in list(message.headers() or ()) if isinstance(content, bytes)}
    return from_binary(KafkaMessage(headers=headers, key=message.key(), value=message.value() or b"null"))


def process(event: CloudEvent) -> None:
    """Do with the event whatever this consumer is for."""
    anomaly: dict[str, Any] = event.get_data() or {}
    about = f"signal={anomaly['signal_event_id']} user={event['subject']}"
    print(f"{event['id']} {anomaly['anomaly_type']} {about}", flush=True)


def main() -> int:
    """Process anomaly events until interrupted, or until none comes any more."""
    options = arguments()
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap_servers,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,  # an offset moves only after its event is processed
        }
    )
    consumer.subscribe([options.topic])
    seen: OrderedDict[str, None] = OrderedDict()
    try:
        for message in messages(consumer, options.idle):
            event = decode(message)
            if event["id"] not in seen:
                process(event)
                seen[event["id"]] = None
                if len(seen) > REMEMBERED_IDS:
                    seen.popitem(last=False)
            consumer.commit(message=message, asynchronous=False)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        consumer.close()  # leaves the group at once; otherwise its partitions wait for the session to expire
    return 0


if __name__ == "__main__":
    sys.exit(main())
