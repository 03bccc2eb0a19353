"""`access rotate`: another key for tokens, in files or in the environment."""

import os
import stat
from pathlib import Path

import pytest

from signal_pipeline.settings import Settings
from tests.integration.commands.conftest import Run
from tests.support.commands import Access, refused

OLD, OLDER = "old-" + "k" * 40, "older-" + "k" * 40


@pytest.fixture
def key_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The signing key in a file, and an empty file for those of before."""
    current, previous = tmp_path / "jwt", tmp_path / "jwt-previous"
    current.write_text(OLD + "\n")
    previous.write_text("")
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(current))
    monkeypatch.setenv("JWT_PREVIOUS_SECRET_KEYS_FILE", str(previous))
    return current, previous


def configured() -> tuple[str, ...]:
    """Return the keys that a process would find now."""
    return Settings(_env_file=None).jwt_keys  # type: ignore[call-arg]  # pydantic-settings takes it


def test_keys_in_files_are_exchanged(access: Access, run: Run, key_files: tuple[Path, Path]) -> None:
    """The new key signs, all of before are still taken, both files are the owner's alone, and no key is printed."""
    outputs = [access("rotate"), access("rotate")]
    newest, second, oldest = configured()
    assert oldest == OLD
    assert len({newest, second, oldest}) == 3
    assert len(newest) == 64
    for path in key_files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.stat().st_uid == os.geteuid()
    assert [each.exit_code for each in outputs] == [0, 0]
    assert not any(key in each.output for key in (newest, second, OLD) for each in outputs)
    assert sorted(path.name for path in key_files[0].parent.iterdir()) == ["jwt", "jwt-previous"]
    assert run("SELECT count(*) FROM access_events WHERE kind = 'signing_key_rotated'") == [(2,)]


def test_the_old_key_is_kept_before_the_new_one_signs(
    access: Access, key_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between the two files, the old key signs and is taken, and nothing half-written is left."""
    replace = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if target == key_files[0]:
            raise OSError(28, "no space left")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    refused(access("rotate"), "no space left")
    assert configured() == (OLD, OLD)
    assert sorted(path.name for path in key_files[0].parent.iterdir()) == ["jwt", "jwt-previous"]


def test_old_keys_are_taken_away_in_time(access: Access, run: Run, key_files: tuple[Path, Path]) -> None:
    """Not while their tokens live, unless that is asked for; afterwards only the new key is left."""
    access("rotate")
    (new, old) = configured()
    refused(access("rotate", "--finish"), "live for another 6 days and 23 h; --now")
    assert configured() == (new, old)
    run("UPDATE access_events SET at = at - interval '7 days'")
    assert access("rotate", "--finish").exit_code == 0
    assert configured() == (new,)
    access("rotate")
    assert access("rotate", "--finish", "--now").exit_code == 0
    assert len(configured()) == 1
    assert key_files[1].read_text() == ""
    assert access("rotate", "--now").exit_code == 2


def test_without_files_the_lines_are_printed(
    access: Access, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to set and what to start again, verifiers before auth; put into `.env` the lines are what was meant."""
    monkeypatch.setenv("JWT_SECRET_KEY", OLD)
    monkeypatch.setenv("JWT_PREVIOUS_SECRET_KEYS", OLDER)
    shown = access("rotate").stdout
    monkeypatch.delenv("JWT_SECRET_KEY")
    monkeypatch.delenv("JWT_PREVIOUS_SECRET_KEYS")
    (tmp_path / ".env").write_text(shown)
    new, *previous = Settings().jwt_keys
    assert (len(new), previous) == (64, [OLD, OLDER])
    assert shown.index("emit and replay-dlq") < shown.index("start auth again")
    ((detail,),) = run("SELECT detail FROM access_events")
    assert detail["in_files"] is False
    assert new not in str(detail)
    assert "remove JWT_PREVIOUS_SECRET_KEYS" in access("rotate", "--finish", "--now").stdout


def test_one_key_in_a_file_is_half_a_rotation(
    access: Access, key_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old key must have a place to go to."""
    monkeypatch.delenv("JWT_PREVIOUS_SECRET_KEYS_FILE")
    refused(access("rotate"), "JWT_PREVIOUS_SECRET_KEYS_FILE")
    assert key_files[0].read_text() == OLD + "\n"


def test_nothing_is_exchanged_unrecorded(
    access: Access, key_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While PostgreSQL does not answer the keys stay what they are."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/eventpipeline")
    refused(access("rotate"), "PostgreSQL does not answer")
    assert key_files[0].read_text() == OLD + "\n"
