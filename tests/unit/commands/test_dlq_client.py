"""The client of replay-dlq, against servers that answer what a test tells them to."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from signal_pipeline.commands import dlq_client, dlq_orders
from signal_pipeline.commands.dlq_client import DlqClient
from signal_pipeline.commands.dlq_orders import chosen_job, dead_letter_id, filter_of, follow, order
from signal_pipeline.errors import (
    ConfigurationError,
    Conflict,
    DependencyUnavailable,
    InvalidEvent,
    NotFound,
    PipelineError,
)
from signal_pipeline.settings import Settings

JOB = uuid4()
NOBODY = "http://127.0.0.1:9"


def job(status: str, replayed: int) -> web.Response:
    """Return the answer about a job of ten letters."""
    return web.json_response(
        {"job_id": str(JOB), "status": status, "replayed": replayed, "skipped": 0, "total": 10, "filter": {}}
    )


def problem(status: int, detail: str) -> web.Response:
    """Return a failure as every function answers it."""
    return web.json_response({"detail": detail}, status=status, content_type="application/problem+json")


@dataclass
class Site:
    """One server in the place of auth and replay-dlq.

    Attributes:
        answers: Answers of replay-dlq, in order.
        refusals: After how many seconds to come back, of each login that auth turns away before it gives tokens.
        logins: Tokens that auth gives, in order; when there is none left the password is refused.
        seen: Path, token and idempotency key of each request to replay-dlq.
        url: Where it listens.
    """

    answers: list[web.Response] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    logins: list[str] = field(default_factory=lambda: ["one", "two"])
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Give the next answer."""
        if request.path == "/auth/token" and self.refusals:
            refusal = problem(429, "too many attempts to log in")
            refusal.headers["Retry-After"] = str(self.refusals.pop(0))
            return refusal
        if request.path == "/auth/token":
            return web.json_response({"access_token": self.logins.pop(0)}) if self.logins else problem(401, "no")
        token, key = request.headers["Authorization"].removeprefix("Bearer "), request.headers.get("Idempotency-Key")
        self.seen.append((request.path_qs, token, key))
        return self.answers.pop(0)

    def client(self) -> DlqClient:
        """Return a client that comes here."""
        return DlqClient(Settings(_env_file=None, function_url_auth=self.url, function_url_replay_dlq=self.url))


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A server on a free port; a job is looked at without a pause."""
    monkeypatch.setattr(dlq_orders, "_POLL_SECONDS", 0.0)
    server = Site()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with TestServer(application) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server


async def test_a_token_is_renewed_when_it_has_expired(site: Site) -> None:
    """A refused token is replaced once, and the next request uses the new one."""
    site.answers = [problem(401, "expired"), job("running", 1), job("running", 2)]
    client = site.client()
    await asyncio.to_thread(client.job, JOB)
    assert (await asyncio.to_thread(client.job, JOB))["replayed"] == 2
    assert [token for _, token, _ in site.seen] == ["one", "two", "two"]


async def test_a_key_that_differs_is_told(site: Site) -> None:
    """Two fresh tokens that replay-dlq refuses point to the signing key, and a refused password to its setting."""
    site.answers = [problem(401, "bad"), problem(401, "bad")]
    with pytest.raises(ConfigurationError, match="JWT_SECRET_KEY"):
        await asyncio.to_thread(site.client().jobs)
    with pytest.raises(ConfigurationError, match="AUTH_ADMIN_PASSWORD"):
        await asyncio.to_thread(site.client().jobs)


async def test_a_login_that_comes_too_soon_is_repeated(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits as long as auth says, once; a wait that a person would not sit out is an error at once."""
    waits: list[float] = []
    monkeypatch.setattr(dlq_client.time, "sleep", waits.append)
    site.refusals, site.answers = [6], [job("running", 1)]
    assert (await asyncio.to_thread(site.client().job, JOB))["replayed"] == 1
    assert waits == [6.0]
    for refusals in ([6, 6], [600]):
        site.refusals = list(refusals)
        with pytest.raises(DependencyUnavailable, match="too many"):
            await asyncio.to_thread(site.client().jobs)
        assert site.refusals == []
    assert waits == [6.0, 6.0]


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        (problem(400, "since needs a zone"), InvalidEvent, "^since needs a zone$"),
        (problem(404, "there is no such job"), NotFound, "^there is no such job$"),
        (problem(409, "another job is active"), Conflict, "^another job is active$"),
        (problem(503, "PostgreSQL cannot be reached"), DependencyUnavailable, "PostgreSQL.*make health"),
        (problem(500, "the function failed"), DependencyUnavailable, "make logs-replay-dlq"),
        (web.Response(text="<html>", status=200), DependencyUnavailable, "make logs-replay-dlq"),
        (web.Response(text="<html>", status=404), DependencyUnavailable, "make logs-replay-dlq"),
    ],
)
async def test_a_failure_says_what_to_do(
    site: Site, answer: web.Response, error: type[PipelineError], told: str
) -> None:
    """A refusal is told in replay-dlq's own words; a fault names the next step."""
    site.answers = [answer]
    with pytest.raises(error, match=told):
        await asyncio.to_thread(site.client().job, JOB)


@pytest.mark.parametrize("role", ["auth", "replay-dlq"])
async def test_a_server_that_is_down_is_named(site: Site, role: str) -> None:
    """When nothing listens the message names the role and how it is started."""
    urls = {"auth": site.url, "replay-dlq": site.url, role: NOBODY}
    settings = Settings(_env_file=None, function_url_auth=urls["auth"], function_url_replay_dlq=urls["replay-dlq"])
    with pytest.raises(DependencyUnavailable, match=f"^{role} does not answer .* make up"):
        await asyncio.to_thread(DlqClient(settings).jobs)


async def test_a_lost_order_can_be_repeated(site: Site) -> None:
    """When the answer to an order is lost, the message has the key that finds its job instead of starting another."""
    site.answers = [problem(503, "later")]
    with pytest.raises(DependencyUnavailable, match="--key ") as caught:
        await asyncio.to_thread(order, site.client(), "plan", reason=None, key=None)
    assert site.seen[0][2] is not None
    assert f"--key {site.seen[0][2]}" in str(caught.value)


async def test_a_job_is_followed_to_its_end(site: Site) -> None:
    """Pauses and a moment without an answer do not end the watch; the end of the job does."""
    site.answers = [job("running", 0), job("paused", 3), problem(503, "restarting"), job("completed", 10)]
    assert (await asyncio.to_thread(follow, site.client(), JOB))["status"] == "completed"


async def test_a_watch_does_not_wait_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When replay-dlq stays away the watch ends with the way to look again."""
    monkeypatch.setattr(dlq_orders, "_PATIENCE_SECONDS", 0.0)
    site.answers = [job("running", 0), problem(503, "down")]
    with pytest.raises(DependencyUnavailable, match="make health"):
        await asyncio.to_thread(follow, site.client(), JOB)


async def test_an_action_alone_means_the_active_job(site: Site) -> None:
    """Without an id the job that runs or is paused is meant; without one that is active there is nothing to do."""
    others = [{"job_id": str(uuid4()), "status": status} for status in ("completed", "cancelled")]
    site.answers = [
        web.json_response({"jobs": [others[0], {"job_id": str(JOB), "status": "paused"}, others[1]]}),
        web.json_response({"jobs": others}),
    ]
    assert await asyncio.to_thread(chosen_job, site.client(), ["resume"]) == (JOB, "resume")
    with pytest.raises(NotFound, match="no job is active"):
        await asyncio.to_thread(chosen_job, site.client(), ["resume"])


def test_words_about_a_job() -> None:
    """An id and an action come in either order; two of a kind, and a word that is neither, are refused."""
    client = DlqClient(Settings(_env_file=None))
    assert chosen_job(client, [str(JOB), "cancel"]) == chosen_job(client, ["cancel", str(JOB)]) == (JOB, "cancel")
    assert chosen_job(client, [str(JOB)]) == (JOB, None)
    for words in (["restart"], ["pause", "resume"], [str(JOB), str(JOB)]):
        with pytest.raises(InvalidEvent, match="name a job"):
            chosen_job(client, words)


def test_words_of_a_filter() -> None:
    """Words are part=value; a value may hold an equals sign; what is malformed is refused here, the rest there."""
    assert filter_of(["class=invalid", "code=a=b"]) == {"class": "invalid", "code": "a=b"}
    for words in (["class"], ["=x"], ["code=1", "code=2"]):
        with pytest.raises(InvalidEvent):
            filter_of(words)
    assert dead_letter_id(str(JOB)) == UUID(str(JOB))
    with pytest.raises(InvalidEvent, match="dlq ls"):
        dead_letter_id("first")


def test_an_interrupt_is_one_at_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between the two steps by which asyncio prepares for it leaves as an interrupt, not as a cancellation."""
    install = signal.signal

    def install_and_interrupt(number: int, handler: Any) -> Any:
        before = install(number, handler)
        if before is signal.default_int_handler:  # asyncio has its handler now, and resets its count of interrupts next
            signal.raise_signal(signal.SIGINT)
        return before

    monkeypatch.setattr(signal, "signal", install_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        DlqClient(Settings(_env_file=None, function_url_auth=NOBODY)).jobs()
