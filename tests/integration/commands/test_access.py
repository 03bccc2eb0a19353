"""`access`: what operators do to users and keys, checked in the tables."""

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from argon2 import PasswordHasher

from signal_pipeline.domain.access import api_key_digest, is_api_key
from tests.integration.commands.conftest import Run
from tests.support.commands import Access, refused

PASSWORD = "correct horse battery staple"


def started_login(run: Run, username: str) -> None:
    """Store a login of a user."""
    run(
        "INSERT INTO refresh_tokens (jti, family, user_id, expires_at) "
        "SELECT %s, %s, id, now() + interval '7 days' FROM users WHERE username = %s",
        uuid4(),
        uuid4(),
        username,
    )


def logins(run: Run) -> int:
    """Count the tokens in use."""
    return int(run("SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL")[0][0])


def test_a_user_is_created(access: Access, run: Run) -> None:
    """The password comes from standard input, is stored as a hash, and appears nowhere else; the event says who."""
    done = access("user", "create", "jane", "--scope", "replay,signals:write", "--scope", "replay")
    assert done.exit_code == 0, done.output
    ((password_hash, scopes, disabled),) = run("SELECT password_hash, scopes, disabled FROM users")
    assert PasswordHasher().verify(password_hash, PASSWORD)
    assert (scopes, disabled) == (["signals:write", "replay"], False)
    assert run("SELECT kind, actor, subject, detail FROM access_events") == [
        ("user_created", "operator:jane", "jane", {"scopes": ["signals:write", "replay"]})
    ]
    assert PASSWORD not in done.output
    assert json.loads(done.stderr.splitlines()[0])["event"] == "access_event"


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("user", "create", "jane", "--scope", "root"), PASSWORD, "no scope 'root'; there are signals:write"),
        (("user", "create", "jane", "--scope", ","), PASSWORD, "at least one scope"),
        (("user", "create", "jane doe", "--scope", "replay"), PASSWORD, "a name has"),
        (("user", "create", "key:jane", "--scope", "replay"), PASSWORD, "a name has"),
        (("user", "create", "jane", "--scope", "replay"), "", "standard input, which is empty"),
        (("user", "create", "jane", "--scope", "replay"), "short\n", "12 to 1024 characters"),
        (("user", "create", "jane", "--scope", "replay"), "x" * 1025, "12 to 1024 characters"),
        (("user", "create", "jane-has-a-name", "--scope", "replay"), "Jane-Has-A-Name\n", "too easy"),
        (("user", "create", "jane", "--scope", "replay"), "abababababababab\n", "too easy"),
        (("user", "create", "admin", "--scope", "replay"), PASSWORD, "AUTH_ADMIN_PASSWORD"),
        (("user", "set-password", "admin"), PASSWORD, "AUTH_ADMIN_PASSWORD"),
        (("user", "set-password", "nobody"), PASSWORD, "there is no user 'nobody'"),
        (("user", "set-scopes", "nobody", "--scope", "replay"), "", "there is no user 'nobody'"),
        (("user", "disable", "no\x1b[2Jbody"), "", r"there is no user 'no\\x1b\[2Jbody'"),
        (("user", "enable", "nobody"), "", "there is no user 'nobody'"),
        (("key", "create", "a b", "--scope", "replay"), "", "a name has"),
        (("key", "create", "ci", "--scope", "root"), "", "no scope 'root'"),
        (("key", "revoke", "ci"), "", "there is no key 'ci' in use"),
        (("audit", "--kind", "nothing"), "", "no kind 'nothing'; there are login_succeeded"),
    ],
)
def test_mistakes(access: Access, run: Run, words: tuple[str, ...], stdin: str, said: str) -> None:
    """A mistake is one line that says what is right, and changes and records nothing."""
    refused(access(*words, stdin=stdin), said)
    assert run("SELECT count(*) FROM users") == [(0,)]
    assert run("SELECT count(*) FROM api_keys") == [(0,)]
    assert run("SELECT count(*) FROM access_events") == [(0,)]


def test_a_password_is_no_argument(access: Access, run: Run) -> None:
    """Nobody can put a password where every process of the machine sees it."""
    assert access("user", "create", "jane", PASSWORD, "--scope", "replay").exit_code == 2
    assert access("user", "create", "jane", "--password", PASSWORD, "--scope", "replay").exit_code == 2
    assert run("SELECT count(*) FROM users") == [(0,)]


def test_a_name_is_given_once(access: Access, run: Run) -> None:
    """A second user, or key, of one name is refused, and the first stays what it is."""
    for words in (("user", "create", "jane"), ("key", "create", "ci")):
        assert access(*words, "--scope", "replay").exit_code == 0
        refused(access(*words, "--scope", "admin"), "there is.* (user jane|key ci)")
    assert run("SELECT scopes FROM users UNION ALL SELECT scopes FROM api_keys") == [(["replay"],), (["replay"],)]
    assert run("SELECT count(*) FROM access_events") == [(2,)]


def test_another_password_ends_the_logins(access: Access, run: Run) -> None:
    """Whoever logged in with the old password must log in again."""
    access("user", "create", "jane", "--scope", "replay")
    started_login(run, "jane")
    assert access("user", "set-password", "jane", stdin="quite another password\n").exit_code == 0
    ((password_hash,),) = run("SELECT password_hash FROM users")
    assert PasswordHasher().verify(password_hash, "quite another password")
    assert logins(run) == 0
    newest = run("SELECT kind, detail FROM access_events ORDER BY id DESC LIMIT 1")
    assert newest == [("password_changed", {"tokens_revoked": 1})]


def test_fewer_scopes_end_the_logins_and_more_do_not(access: Access, run: Run) -> None:
    """Tokens carry scopes: those of before must not outlive what was taken away."""
    access("user", "create", "jane", "--scope", "replay")
    started_login(run, "jane")
    assert access("user", "set-scopes", "jane", "--scope", "replay,signals:write").exit_code == 0
    assert logins(run) == 1
    assert access("user", "set-scopes", "jane", "--scope", "signals:write").exit_code == 0
    assert (logins(run), run("SELECT scopes FROM users")) == (0, [(["signals:write"],)])


def test_a_disabled_user_is_shut_out(access: Access, run: Run) -> None:
    """Disabling ends the logins of this user alone; enabling begins none."""
    for name in ("jane", "john"):
        access("user", "create", name, "--scope", "replay")
        started_login(run, name)
    assert access("user", "disable", "jane").exit_code == 0
    assert (logins(run), run("SELECT username FROM users WHERE disabled")) == (1, [("jane",)])
    assert access("user", "enable", "jane").exit_code == 0
    assert (logins(run), run("SELECT username FROM users WHERE disabled")) == (1, [])
    shown = access("user", "list").stdout
    assert [line.split()[:4] for line in shown.splitlines() if line[:2] == "ja" or line[:2] == "jo"] == [
        ["jane", "replay", "yes", "0"],
        ["john", "replay", "yes", "1"],
    ]


def test_a_key_is_shown_once(access: Access, run: Run) -> None:
    """Standard output is the key and nothing else; the table has its hash; no list shows it again."""
    made = access("key", "create", "ci", "--scope", "signals:write", "--days", "30")
    key = made.stdout.removesuffix("\n")
    assert is_api_key(key)
    assert key not in made.stderr
    assert run("SELECT key_hash, scopes, expires_at - created_at = interval '30 days' FROM api_keys") == [
        (api_key_digest(key), ["signals:write"], True)
    ]
    for words in (("key", "list"), ("audit",), ("audit", "--json")):
        assert key not in access(*words).output
    ((recorded,),) = run("SELECT string_agg(e::text, '') FROM access_events AS e")
    assert key not in recorded


def test_a_revoked_key_stays_revoked(access: Access, run: Run) -> None:
    """A key is revoked once; its name is not given to another."""
    access("key", "create", "ci", "--scope", "replay")
    assert access("key", "revoke", "ci").exit_code == 0
    revoked = run("SELECT revoked_at FROM api_keys WHERE revoked_at IS NOT NULL")
    refused(access("key", "revoke", "ci"), "no key 'ci' in use")
    refused(access("key", "create", "ci", "--scope", "admin"), "there is, or was, a key ci")
    assert run("SELECT revoked_at FROM api_keys") == revoked


def test_the_audit_shows_the_newest_first(access: Access) -> None:
    """Events are shown newest first, those of one kind or name when that is asked, and as JSON for a program."""
    access("user", "create", "jane", "--scope", "replay")
    access("key", "create", "ci", "--scope", "replay")
    access("user", "disable", "jane")

    def kinds(*words: str) -> list[str]:
        return [event["kind"] for event in json.loads(access("audit", "--json", *words).stdout)["events"]]

    assert kinds() == ["user_disabled", "api_key_created", "user_created"]
    assert kinds("--limit", "1") == ["user_disabled"]
    assert kinds("--of", "jane") == ["user_disabled", "user_created"]
    assert kinds("--kind", "api_key_created") == ["api_key_created"]
    shown = access("audit").stdout
    assert "operator:jane" in shown
    assert "scopes=replay" in shown


@pytest.fixture
def as_member(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let commands connect as a member of a role and as nobody else."""
    names: list[str] = []

    def become(role: str) -> None:
        names.append(f"test_{role}")
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {names[-1]} LOGIN IN ROLE {role}".encode())
        monkeypatch.setenv("DATABASE_URL", database_url.replace("postgres:postgres", names[-1]))

    yield become
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP ROLE {name}".encode())


def test_a_role_that_may_not_is_told(access: Access, as_member: Callable[[str], None]) -> None:
    """A database user without the right gets one line, and no stack; whoever may read events reads them."""
    as_member("pipeline_reader")
    refused(access("user", "disable", "jane"), "DATABASE_URL may not do this: permission denied for table users")
    assert access("audit").exit_code == 0


def test_the_role_of_auth_suffices(access: Access, run: Run, as_member: Callable[[str], None]) -> None:
    """Users and keys are managed with the rights of auth, which records what it does and cannot read it."""
    as_member("pipeline_auth")
    for words in (
        ("user", "create", "jane", "--scope", "replay"),
        ("user", "set-password", "jane"),
        ("user", "set-scopes", "jane", "--scope", "signals:write"),
        ("user", "disable", "jane"),
        ("user", "enable", "jane"),
        ("user", "list"),
        ("key", "create", "ci", "--scope", "replay"),
        ("key", "list"),
        ("key", "revoke", "ci"),
        ("rotate",),
    ):
        assert access(*words).exit_code == 0, words
    refused(access("audit"), "permission denied for table access_events")
    assert run("SELECT count(*) FROM access_events") == [(8,)]
