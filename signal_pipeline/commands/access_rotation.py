"""`access rotate`: another key for tokens, without ending a login.

           JWT_SECRET_KEY    JWT_PREVIOUS_SECRET_KEYS
before     old
rotate     old               old          1. the old key is kept first: a crash in between costs nobody a login
           new               old          2. from now on the new one signs
--finish   new                            once no token of the old key is alive: one lifetime of a refresh token later

With both in files, they are replaced atomically, and processes read them again by themselves. Else the lines for the
environment are printed, and processes read them when they start: first whoever verifies, last auth, which signs.
"""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signal_pipeline.commands.access_events import changing
from signal_pipeline.commands.database import rows_of
from signal_pipeline.errors import ConfigurationError, Conflict
from signal_pipeline.secret_files import secret_file
from signal_pipeline.security.keys import key_id
from signal_pipeline.security.tokens import LIFETIMES, TokenType
from signal_pipeline.settings import Settings
from signal_pipeline.store.access_events import AccessEventKind

__all__ = ["KeyFiles", "finish_rotation", "key_files", "rotate_key"]

_RANDOM_BYTES: Final = 48  # 64 characters
_LONGEST_TOKEN: Final = LIFETIMES[TokenType.REFRESH]


@dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """Where the keys are.

    Attributes:
        current: Holds the key that signs.
        previous: Holds those that are still taken, separated by commas; may be empty.
    """

    current: Path
    previous: Path

    def read(self) -> list[str]:
        """Return the keys, the signing one first."""
        current, previous = (path.read_text(encoding="utf-8") for path in (self.current, self.previous))
        return list(dict.fromkeys([current.strip(), *previous.replace(",", " ").split()]))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second rotation away: of two at once, one would lose the key of the other."""
        folder = os.open(self.current.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def key_files(settings: Settings) -> KeyFiles | None:
    """Return where the keys are, as the environment or `.env` says; None when they are no files.

    Raises:
        ConfigurationError: only one of the two is a file.
    """
    names = ("jwt_secret_key", "jwt_previous_secret_keys")
    found = [secret_file(type(settings), name) for name in names]
    if not any(found):
        return None
    if not all(found):
        missing = f"{names[found.index(None)]}_file".upper()
        raise ConfigurationError(f"set {missing} too: an exchange of keys needs a file for both; it may be empty")
    # What is replaced is the file itself and not a link to it.
    current, previous = (Path(str(name)).resolve() for name in found)
    return KeyFiles(current=current, previous=previous)


def rotate_key(settings: Settings) -> Sequence[str]:
    """Let a new key sign and keep the old one for its tokens; return what to tell the operator, line by line.

    Raises:
        ConfigurationError: only one of the keys is in a file.
        OSError: a file cannot be replaced; what was done so far harms no token.
        PipelineError: the event cannot be recorded, and so nothing was changed.
    """
    files, new = key_files(settings), secrets.token_urlsafe(_RANDOM_BYTES)
    with changing(settings) as change:
        change.record(AccessEventKind.SIGNING_KEY_ROTATED, None, key_id=key_id(new), in_files=files is not None)
        if files is None:
            return _lines(new, list(dict.fromkeys(settings.jwt_keys)))
        with files.locked():
            _replace(files.previous, ",".join(files.read()) + "\n")
            _replace(files.current, new + "\n")
    days = _LONGEST_TOKEN.days
    return [f"the new key signs; in {days} days, when no token of the old one is alive: access rotate --finish"]


def finish_rotation(settings: Settings, *, now: bool) -> Sequence[str]:
    """Take the old keys away, so that their tokens are refused; return what to tell the operator, line by line.

    Args:
        settings: Where the keys and the database are.
        now: Do so though tokens of the old keys are alive: a key was stolen, and every login of before ends.

    Raises:
        Conflict: tokens of the old keys may be alive.
        PipelineError: as `rotate_key`.
    """
    files = key_files(settings)
    _refuse_early(settings, now=now)
    with changing(settings) as change:
        change.record(AccessEventKind.PREVIOUS_KEYS_REMOVED, None, before_their_time=now)
        if files is None:
            return ["remove JWT_PREVIOUS_SECRET_KEYS, then start every function again"]
        with files.locked():
            _replace(files.previous, "")
    return ["the old keys are gone; functions that were started with these files forget them within 10 s"]


def _refuse_early(settings: Settings, *, now: bool) -> None:
    (row,) = rows_of(settings, "last_key_rotation")
    age = row["age"]
    if not now and age is not None and age < _LONGEST_TOKEN:
        rest = _LONGEST_TOKEN - age
        raise Conflict(
            f"tokens of the old key live for another {rest.days} days and {rest.seconds // 3600} h; "
            "--now ends their logins"
        )


def _lines(new: str, previous: Sequence[str]) -> list[str]:
    return [
        f"JWT_SECRET_KEY={new}",
        f"JWT_PREVIOUS_SECRET_KEYS={','.join(previous)}",
        "# 1. put both lines into .env, or wherever the environment comes from",
        "# 2. start emit and replay-dlq again: they take tokens of either key",
        "# 3. start auth again: it signs with the new key",
        f"# 4. in {_LONGEST_TOKEN.days} days: signal-pipeline access rotate --finish",
    ]


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old text or the new one, and after a crash too."""
    owner = path.stat()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            # Whoever reads it as another account than root must go on to be able to.
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
