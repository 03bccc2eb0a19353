"""auth against PostgreSQL: what it records, and what it does for users whom an operator changed."""

import asyncio
import json

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from signal_pipeline.observability.metrics import RateLimitMetrics
from signal_pipeline.security.limits import limiter_of
from tests.integration.roles.auth_site import PASSWORD, AuthSite

ADMIN_CREATED = ("user_created", "AUTH_ADMIN_PASSWORD", "admin")
LOGGED_IN = ("login_succeeded", "admin", "admin")
OTHER = "quite another long password"


def later(site: AuthSite, *, password: str = PASSWORD, environment: str = "development") -> AuthSite:
    """Return the process of auth after a restart, with other settings."""
    changes = {"auth_admin_password": SecretStr(password), "environment": environment}
    return AuthSite(site.settings.model_copy(update=changes))


async def test_a_login_is_recorded_from_beginning_to_end(auth_site: AuthSite) -> None:
    """Row 8: login and logout stand in the table, with address and correlation id; the access token ends with it."""
    pair = (await auth_site.log_in(PASSWORD, ("x-correlation-id", "one"))).json
    assert await auth_site.accepts(pair["access_token"])
    assert (await auth_site.post("revoke", token=pair["access_token"])).status == 204
    assert not await auth_site.accepts(pair["access_token"])
    assert (await auth_site.post("revoke", token=pair["access_token"])).status == 204
    assert auth_site.events() == [ADMIN_CREATED, LOGGED_IN, ("logged_out", "admin", "admin")]
    seen = auth_site.run("SELECT address, correlation_id FROM access_events WHERE kind = 'login_succeeded'")
    assert seen == [("127.0.0.1", "one")]
    assert auth_site.counted("auth_logins_ended_total", reason="logout") == 1


async def test_failed_logins_are_recorded_and_look_alike(auth_site: AuthSite) -> None:
    """Row 14: wrong, unknown and disabled give one answer after one hash and one row; only real names are written."""
    await auth_site.log_in()
    auth_site.run("INSERT INTO users (username, password_hash, disabled) SELECT 'off', password_hash, true FROM users")
    hashed: list[str | None] = []
    verify = auth_site.function._passwords._matches
    auth_site.function._passwords._matches = lambda of, given: hashed.append(of[:30]) or verify(of, given)  # type: ignore[func-returns-value,method-assign]
    answers = [
        await auth_site.log_in("wrong"),
        await auth_site.log_in(PASSWORD, username="my own password"),
        await auth_site.log_in(PASSWORD, username="off"),
    ]
    told = [{k: v for k, v in a.json.items() if k not in {"error_id", "correlation_id"}} for a in answers]
    assert [each.status for each in answers] == [401] * 3
    assert told[0] == told[1] == told[2]
    assert len(hashed) == 3
    assert len(set(hashed)) == 1  # the same parameters, so the same time
    failed = auth_site.run(
        "SELECT actor, subject, detail->>'reason' FROM access_events WHERE kind = 'login_failed' ORDER BY id"
    )
    assert failed == [(None, "admin", "password"), (None, None, "unknown_user"), (None, "off", "disabled")]
    assert auth_site.counted("auth_refused_total", grant="password") == 3


async def test_no_secret_is_recorded_or_logged(auth_site: AuthSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a password nor a token is in the events or in a log line; each event has a line."""
    pair = (await auth_site.log_in()).json
    renewed = (await auth_site.post("refresh", refresh_token=pair["refresh_token"])).json
    await auth_site.log_in("canary-password")
    await auth_site.log_in(PASSWORD, username="canary-password")
    await auth_site.post("revoke", token=renewed["refresh_token"])
    lines = capsys.readouterr().out
    ((rows,),) = auth_site.run("SELECT string_agg(e::text, ' ') FROM access_events AS e")
    tokens = [given[name] for given in (pair, renewed) for name in ("access_token", "refresh_token")]
    secrets = [PASSWORD, "canary-password", *tokens]
    assert [each for each in secrets if each in rows or each in lines] == []
    for kind in ("login_succeeded", "login_failed", "logged_out", "user_created"):
        assert kind in lines


async def test_a_reused_token_is_recorded_once(auth_site: AuthSite) -> None:
    """Row 9: reuse after the grace ends the login, in SQL and for its access tokens, and is one event."""
    first = (await auth_site.log_in()).json
    second = (await auth_site.post("refresh", refresh_token=first["refresh_token"])).json
    auth_site.run("UPDATE refresh_tokens SET used_at = used_at - interval '6 seconds'")
    for _ in range(2):
        assert (await auth_site.post("refresh", refresh_token=first["refresh_token"])).status == 401
    assert (await auth_site.post("refresh", refresh_token=second["refresh_token"])).status == 401
    assert not await auth_site.accepts(second["access_token"])
    assert auth_site.run("SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NULL") == [(0,)]
    assert auth_site.events() == [ADMIN_CREATED, LOGGED_IN, ("refresh_reused", None, "admin")]
    assert auth_site.counted("auth_logins_ended_total", reason="refresh_reused") == 1


async def test_parallel_refreshes_leave_one_successor(auth_site: AuthSite) -> None:
    """Row 10: two refreshes at once both succeed and leave one token in use; nothing is taken for reuse."""
    first = (await auth_site.log_in()).json
    answers = await asyncio.gather(
        *(auth_site.post("refresh", refresh_token=first["refresh_token"]) for _ in range(2)),
    )
    assert [each.status for each in answers] == [200, 200]
    assert auth_site.run("SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL") == [(1,)]
    assert auth_site.run("SELECT count(*) FROM refresh_tokens WHERE revoked_at IS NOT NULL") == [(0,)]
    assert auth_site.events() == [ADMIN_CREATED, LOGGED_IN]


async def test_a_refused_renewal_is_not_reuse(auth_site: AuthSite) -> None:
    """A token that was never spent, of a user disabled by hand, is refused without an alarm."""
    first = (await auth_site.log_in()).json
    auth_site.run("UPDATE users SET disabled = true")
    assert (await auth_site.post("refresh", refresh_token=first["refresh_token"])).status == 401
    assert not await auth_site.accepts(first["access_token"])
    assert auth_site.events() == [ADMIN_CREATED, LOGGED_IN]


async def test_a_changed_setting_ends_the_logins_of_admin(auth_site: AuthSite) -> None:
    """AUTH_ADMIN_PASSWORD is the password of admin: another one, after a restart, ends the logins of before."""
    pair = (await auth_site.log_in()).json
    restarted = later(auth_site, password=OTHER)
    assert (await restarted.log_in(OTHER)).status == 200
    assert (await restarted.log_in(PASSWORD)).status == 401
    assert not await restarted.accepts(pair["access_token"])
    assert ("password_changed", "AUTH_ADMIN_PASSWORD", "admin") in auth_site.events()
    await restarted.app.close()


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_what_operators_say_of_admin_holds(auth_site: AuthSite, environment: str) -> None:
    """A restart neither enables admin again, nor changes a disabled one, nor gives scopes back."""
    await auth_site.log_in()
    auth_site.run("UPDATE users SET scopes = '{replay}'")
    restarted = later(auth_site, environment=environment)
    assert (await restarted.log_in()).json["scope"] == "replay"
    await restarted.app.close()
    auth_site.run("UPDATE users SET disabled = true")
    before = auth_site.run("SELECT u::text FROM users AS u")
    restarted = later(auth_site, password=OTHER, environment=environment)
    assert [(await restarted.log_in(each)).status for each in (PASSWORD, OTHER)] == [401, 401]
    assert auth_site.run("SELECT u::text FROM users AS u") == before
    await restarted.app.close()


@pytest.mark.parametrize(("environment", "status"), [("development", 200), ("production", 401)])
async def test_a_deleted_admin(auth_site: AuthSite, environment: str, status: int) -> None:
    """In production an admin whom somebody deleted stays away as long as there are other users."""
    auth_site.run("INSERT INTO users (username, password_hash) VALUES ('jane', '$argon2id$x')")
    restarted = later(auth_site, environment=environment)
    assert (await restarted.log_in()).status == status
    assert auth_site.run("SELECT count(*) FROM users WHERE username = 'admin'") == [(int(status == 200),)]
    await restarted.app.close()


async def test_production_begins_with_admin(auth_site: AuthSite) -> None:
    """Where there is no user at all, production has somebody to log in with; many first logins make one user."""
    first = later(auth_site, environment="production")
    answers = await asyncio.gather(*(first.log_in() for _ in range(4)))
    assert [each.status for each in answers] == [200] * 4
    assert [event for event in auth_site.events() if event[0] == "user_created"] == [ADMIN_CREATED]
    await first.app.close()


async def test_brute_force_behind_spoofed_addresses(auth_site: AuthSite) -> None:
    """Row 14: a stranger's X-Forwarded-For buys no attempt: 429 with Retry-After, unhashed, and a bounded limiter."""
    most = auth_site.settings.login_attempts_per_minute
    spoofed = [("x-forwarded-for", f"203.0.113.{number}") for number in range(60)]
    answers = [await auth_site.log_in("guess", each, username=f"user-{n}") for n, each in enumerate(spoofed)]
    assert [each.status for each in answers] == [401] * most + [429] * (60 - most)
    refused = answers[-1]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json["code"] == "too_many_attempts"
    assert len(auth_site.function._limiter._buckets) == most + 1  # type: ignore[attr-defined]
    assert auth_site.run("SELECT count(*), count(DISTINCT address) FROM access_events WHERE kind = 'login_failed'") == [
        (most, 1)
    ]
    assert auth_site.counted("auth_logins_limited_total", layer="login_address") == 60 - most
    assert auth_site.run("SELECT count(*) FROM refresh_tokens") == [(0,)]


async def test_brute_force_from_many_addresses(auth_site: AuthSite) -> None:
    """Row 14: one user is guarded however many addresses a trusted proxy names, and the right password waits, too."""
    proxied = AuthSite(auth_site.settings.model_copy(update={"trusted_proxies": "127.0.0.0/8"}))
    most = auth_site.settings.login_attempts_per_minute
    answers = [await proxied.log_in("guess", ("x-forwarded-for", f"203.0.113.{number}")) for number in range(most)]
    assert [each.status for each in answers] == [401] * most
    late = await proxied.log_in(PASSWORD, ("x-forwarded-for", "198.51.100.1"))
    assert late.status == 429
    assert proxied.counted("auth_logins_limited_total", layer="login_user") == 1
    addresses = auth_site.run("SELECT count(DISTINCT address) FROM access_events WHERE kind = 'login_failed'")
    assert addresses == [(most,)]
    await proxied.app.close()


async def test_without_redis_nobody_logs_in(auth_site: AuthSite) -> None:
    """Row 14: while attempts cannot be counted none is made: 503, no hash, no row. Logins of before go on and end."""
    pair = (await auth_site.log_in()).json
    settings = auth_site.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    site = AuthSite(settings, limiter_of(settings, RateLimitMetrics(CollectorRegistry()), "closed"))
    site.function._passwords._matches = None  # type: ignore[assignment,method-assign]
    answer = await site.log_in()
    assert (answer.status, answer.json["class"]) == (503, "dependency")
    assert int(answer.headers["retry-after"]) >= 1
    assert len(auth_site.events()) == 2
    assert (await site.post("refresh", refresh_token=pair["refresh_token"])).status == 200
    assert (await site.post("revoke", token=pair["access_token"])).status == 204
    assert not await site.accepts(pair["access_token"])
    await site.app.close()


async def test_events_stay_out_of_answers(auth_site: AuthSite) -> None:
    """An answer tells nothing that the events know: neither reasons nor addresses."""
    answer = await auth_site.log_in("wrong")
    assert json.dumps(answer.json).find("127.0.0.1") == -1
    assert "reason" not in answer.json
