"""Files of passwords: lines of name=password, and errors that never show one."""

from pathlib import Path

import pytest

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.passwords_file import read_passwords


def test_each_line_is_a_name_and_a_password(tmp_path: Path) -> None:
    """Comments and empty lines are for people; a password may hold the sign itself."""
    file = tmp_path / "users"
    file.write_text("# of the broker\n\nemit = one\nconnect=two=2\n")
    assert read_passwords(str(file), "KAFKA_USERS_FILE") == {"emit": "one", "connect": "two=2"}


@pytest.mark.parametrize("line", ["emit", "emit=", "=hidden", "emit=hidden\nemit=hidden"])
def test_a_malformed_line_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    """The variable and the line are named; what stands there may be a password."""
    file = tmp_path / "users"
    file.write_text(f"connect=x\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"KAFKA_USERS_FILE, line [23]") as refused:
        read_passwords(str(file), "KAFKA_USERS_FILE")
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["missing", "no text"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    """By its variable, with the reason."""
    file = tmp_path / "users"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="KAFKA_USERS_FILE cannot be read"):
        read_passwords(str(file), "KAFKA_USERS_FILE")
