"""Logs stay bounded while their writers go on."""

from pathlib import Path

from local.logs import rotate_large, tail


def test_a_large_log_is_kept_once_and_its_writer_goes_on(tmp_path: Path) -> None:
    """A writer in append mode continues at the beginning of the emptied file, without a hole."""
    log = tmp_path / "kafka.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 100)
        assert rotate_large(tmp_path, limit_bytes=399) == [log]
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "kafka.log.1").read_bytes() == b"old\n" * 100


def test_a_log_within_its_limit_is_left_alone(tmp_path: Path) -> None:
    """Nothing is copied before it is needed."""
    (tmp_path / "kafka.log").write_bytes(b"x" * 10)
    assert rotate_large(tmp_path, limit_bytes=10) == []


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    """Bytes that are no text do not stop the reading; a log that does not exist has no lines."""
    log = tmp_path / "kafka.log"
    log.write_bytes(b"one\ntwo\n\xff\n")
    assert tail(log, 2) == ["two", "\N{REPLACEMENT CHARACTER}"]
    assert tail(tmp_path / "none.log", 2) == []
