"""What a trigger tells the Kafka client about its membership in the group."""

import pytest

from signal_pipeline.broker.config import consumer_config
from signal_pipeline.settings import Settings

SETTINGS = Settings(_env_file=None)


@pytest.mark.parametrize(
    ("protocol", "instance", "expected"),
    [
        ("classic", "", None),
        ("classic", "slot-1", "slot-1"),
        # The broker would refuse the successor of a killed process until its session has run out.
        ("consumer", "slot-1", None),
    ],
)
def test_a_slot_has_a_name_in_the_classic_protocol_alone(protocol: str, instance: str, expected: str | None) -> None:
    """The name of the slot is the member's, where that brings its partitions back sooner."""
    config = consumer_config(SETTINGS, group="g", offset_reset="earliest", protocol=protocol, instance=instance)
    assert config.get("group.instance.id") == expected


def test_only_the_owner_moves_offsets() -> None:
    """Whatever the protocol, nothing is committed or stored by the client itself."""
    for protocol in ("classic", "consumer"):
        config = consumer_config(SETTINGS, group="g", offset_reset="earliest", protocol=protocol)
        assert (config["enable.auto.commit"], config["enable.auto.offset.store"]) == (False, False)
