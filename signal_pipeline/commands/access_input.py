"""What operators give to `access`: names, scopes, and passwords, which never stand on the command line."""

import getpass
import sys
from collections.abc import Sequence
from typing import Final

from signal_pipeline.domain.access import is_access_name, sound_scopes
from signal_pipeline.errors import ConfigurationError, InvalidEvent
from signal_pipeline.store.access_events import AccessEventKind

__all__ = ["access_name", "given_password", "given_scopes", "known_kind", "known_name", "operator"]

SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1024  # what auth takes


def operator() -> str:
    """Return who runs the command, as events name it: the account of the machine."""
    try:
        return f"operator:{getpass.getuser()}"[:300]
    except (OSError, KeyError):  # an account without a name, as in a container
        return "operator:unknown"


def access_name(text: str) -> str:
    """Return a name for a user or key; `InvalidEvent` when it is none."""
    if not is_access_name(text):
        raise InvalidEvent("a name has 1 to 64 of A-Z a-z 0-9 . _ @ + - and begins with a letter or digit")
    return text


def known_name(text: str) -> str:
    """Return the name of somebody who may exist, as text that can be sent: it is looked up and not stored."""
    return text.encode(errors="replace").decode()


def known_kind(text: str) -> str:
    """Return a kind of event; `InvalidEvent` when there is none."""
    if text not in set(AccessEventKind):
        raise InvalidEvent(f"there is no kind {known_name(text)[:64]!r}; there are {', '.join(AccessEventKind)}")
    return text


def given_scopes(texts: Sequence[str]) -> list[str]:
    """Return scopes, each of which may name several with commas between; `InvalidEvent` for an unknown one or none."""
    try:
        scopes = sound_scopes(scope for text in texts for scope in text.replace(",", " ").split())
    except LookupError as exc:
        raise InvalidEvent(str(exc)) from exc
    if not scopes:
        raise InvalidEvent("name at least one scope: --scope signals:write")
    return scopes


def given_password(username: str) -> str:
    """Ask for a password twice on a terminal; elsewhere it is the first line of standard input.

    Raises:
        InvalidEvent: it is too short or long, the user's name, or typed differently the second time.
        ConfigurationError: standard input is empty.
    """
    if sys.stdin.isatty():
        password = getpass.getpass(f"password of {username}: ")
        if getpass.getpass("once more: ") != password:
            raise InvalidEvent("the two passwords differ")
    else:
        line = sys.stdin.readline()
        if not line:
            raise ConfigurationError("the password is read from standard input, which is empty")
        password = line.rstrip("\r\n")
    return _sound(username, password)


def _sound(username: str, password: str) -> str:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidEvent(f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if password.casefold() == username.casefold() or len(set(password)) < 4:  # noqa: PLR2004 - such as aaaaaaaaaaaa
        raise InvalidEvent("this password is too easy to guess")
    return password
