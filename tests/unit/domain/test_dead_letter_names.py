"""What a dead letter says about itself."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from signal_pipeline.domain.dead_letters import (
    MAX_MESSAGE_BYTES,
    NAMES,
    DeadLetterMetadata,
    Disposition,
    dead_letter_id,
    metadata_headers,
    original_headers,
    sanitised,
)
from signal_pipeline.domain.failures import FailureClass

METADATA = DeadLetterMetadata(
    topic="signal-events",
    partition=3,
    offset=17,
    timestamp_ms=5,
    failure_class=FailureClass.INVALID,
    code="not_json",
    message="the body is not JSON\r\nce_dlqid: forged",
    attempts=1,
    first_failed_at=datetime(2026, 1, 1, tzinfo=UTC),
    last_failed_at=datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC),
    group="process-signal",
    function="process-signal",
    build="0.1.0",
    disposition=Disposition.POISON,
)


@given(st.lists(st.tuples(st.sampled_from(["a", *NAMES]), st.none() | st.binary(max_size=5)), max_size=40))
def test_original_headers_come_back_byte_for_byte(headers: list[tuple[str, bytes | None]]) -> None:
    """Even forged metadata is part of the original when it stands before ours."""
    assert original_headers([*headers, *metadata_headers(METADATA)]) == tuple(headers)


def test_every_name_survives_a_kafkasource() -> None:
    """Each name is that of a valid extension in binary mode, and tells the same after a plain record was wrapped."""
    for name in NAMES:
        assert name.startswith("ce_dlq")
        assert name.removeprefix("ce_").isalnum()
        assert name.islower()
    assert len({name.replace("_", "") for name in NAMES}) == len(NAMES)


def test_the_id_depends_on_group_and_place_alone() -> None:
    """The same record given up twice by one group is one dead letter; another group's is another."""
    place = {"topic": "signal-events", "partition": 3, "offset": 17}
    assert METADATA.id == dead_letter_id(group="process-signal", topic="signal-events", partition=3, offset=17)
    assert METADATA.id != dead_letter_id(group="detect-anomaly", topic="signal-events", partition=3, offset=17)
    # Never a bare concatenation: moving a character from one part to the next gives another id.
    assert dead_letter_id(group="a", topic="bc", partition=1, offset=11) != dead_letter_id(
        group="ab", topic="c", partition=11, offset=1
    )
    assert place["offset"] == METADATA.offset


@given(st.text())
def test_a_message_is_one_short_printable_line(text: str) -> None:
    """Control characters, and with them header injection, never reach a header; nor does a long text."""
    result = sanitised(text)
    assert result == "" or result.isprintable()
    assert len(result.encode()) <= MAX_MESSAGE_BYTES
