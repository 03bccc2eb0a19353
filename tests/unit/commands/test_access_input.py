"""A password is asked for on a terminal, twice and unseen."""

import getpass
import sys

import pytest

from signal_pipeline.commands.access_input import given_password, operator
from signal_pipeline.errors import InvalidEvent

PASSWORD = "correct horse battery staple"


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Let somebody sit at the terminal who types these, one after the other."""
    left = list(answers)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda _: left.pop(0))


def test_a_password_is_typed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed the same way twice is the password; what was not is none."""
    typed(monkeypatch, PASSWORD, PASSWORD)
    assert given_password("jane") == PASSWORD
    typed(monkeypatch, PASSWORD, PASSWORD + "r")
    with pytest.raises(InvalidEvent, match="differ"):
        given_password("jane")


def test_an_account_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container whose user has no entry the event says so instead of failing."""

    def missing() -> str:
        raise KeyError

    monkeypatch.setattr(getpass, "getuser", missing)
    assert operator() == "operator:unknown"
