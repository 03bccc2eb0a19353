"""No secret is in the repository, nor was it ever; and the search finds what is planted."""

import secrets
import subprocess
from pathlib import Path

import pytest

from local.supply.secret_scan import ALLOWED, FORMS, scan_files, scan_history, scan_line

# Made up here, in parts, so that this file is no hit of its own.
PLANTED = {
    "private key": "-----BEGIN" + " RSA PRIVATE KEY-----",
    "API key of this product": "spk_" + "ab12CD34" * 5,
    "JSON Web Token": "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiJhIn0xxxxx" + "." + "c2lnbmF0dXJlMTIz",
    "AWS key id": "AKIA" + "ABCDEFGH12345678",
    "token of a code host": "ghp_" + "a1B2" * 9,
    "token of a chat or payment service": "xoxb-" + "1234567890-abcdef",
    "password in an address": "postgresql://pipeline:" + "Xk3-9fQ2" + "@db/x",
    "assigned value": "JWT_SECRET_KEY" + "=" + secrets.token_urlsafe(32) + "9Zx",
}
INNOCENT = [
    "JWT_SECRET_KEY=super-secret-jwt-key-change-in-production",
    "EMIT_API_KEY: ${EMIT_API_KEY:-dev-test-key-123}",
    "postgresql://postgres:postgres@127.0.0.1:5432/eventpipeline",
    "password = settings.auth_admin_password.get_secret_value()",
    "token: Annotated[str, typer.Argument()] = access_token_of_the_test_user",
    "openssl rand -hex 32  # JWT_SECRET_KEY",
]


def test_the_tracked_files_hold_no_secret() -> None:
    """What looks like a secret is taken out, allowed with a reason, or its line says that it is none."""
    assert list(map(str, scan_files())) == []


def test_no_commit_added_a_secret() -> None:
    """What was committed once stays readable in the history, whatever later commits took away."""
    assert list(map(str, scan_history())) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_each_kind_is_found(kind: str) -> None:
    """A planted secret of each kind is found and named by its kind, and not repeated in full."""
    (finding,) = scan_line(f"x = {PLANTED[kind]}", "file:1")
    assert finding.kind == kind
    assert PLANTED[kind] not in str(finding)


def test_every_form_is_planted() -> None:
    """The table of forms has nothing that no test has seen found."""
    assert FORMS.keys() <= PLANTED.keys()


@pytest.mark.parametrize("line", INNOCENT)
def test_names_and_development_defaults_are_no_secrets(line: str) -> None:
    """Settings' names, expressions, and the documented defaults are not reported."""
    assert scan_line(line, "file:1") == []


def test_a_line_can_say_that_it_holds_none() -> None:
    """The words stand beside what a test makes up, where a reader sees them."""
    assert scan_line(f"{PLANTED['AWS key id']}  # not a secret: made up", "file:1") == []


def test_each_exception_has_a_reason() -> None:
    """The list of allowed values says why for each."""
    assert all(ALLOWED.values())


def test_files_and_history_are_both_searched(tmp_path: Path) -> None:
    """A secret is found before it is committed, and in the history after it was removed."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    leak = tmp_path / "leak.txt"
    leak.write_text(PLANTED["private key"] + "\n")
    assert [finding.place for finding in scan_files(tmp_path)] == ["leak.txt:1"]
    for text in (leak.read_text(), "clean\n"):
        leak.write_text(text)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "change"], check=True)
    assert scan_files(tmp_path) == []
    assert [finding.kind for finding in scan_history(tmp_path)] == ["private key"]
