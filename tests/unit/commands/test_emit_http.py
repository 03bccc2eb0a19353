"""The client of emit, against a server that answers what a test tells it to."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from signal_pipeline.commands.emit_events import _MODES, Message, _event
from signal_pipeline.commands.emit_http import Accepted, EmitClient
from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.http import decode_request
from signal_pipeline.settings import Settings

REFUSED = {"id": "x", "status": 422, "code": "invalid_time", "detail": "time is wrong"}
LATER = {"id": "x", "status": 503, "code": "outcome_unknown", "detail": "no acknowledgement"}


@dataclass
class Emit:
    """A server in the place of emit."""

    answers: list[web.Response] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Note the request and give the next answer."""
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return self.answers.pop(0)

    def settings(self) -> Settings:
        """Return settings that lead here."""
        return Settings(_env_file=None, function_url_emit=self.url)


@pytest.fixture
async def emit() -> AsyncIterator[Emit]:
    """A server on a free port."""
    server = Emit()
    application = web.Application()
    application.router.add_post("/emit", server.answer)
    async with TestServer(application) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server


async def test_an_accepted_request_is_counted(emit: Emit) -> None:
    """The answer of emit is what the client returns; the API key of the settings went with the request."""
    emit.answers = [web.json_response({"accepted": 3, "ids": []}, status=202)]
    async with EmitClient(emit.settings()) as client:
        assert await client.post({}, b"[]") == Accepted(accepted=3, refused=(), repeats=0)
    assert emit.requests[0][0]["x-api-key"] == "dev-test-key-123"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((429, "{}"), id="429"),
        pytest.param((503, "{}"), id="503"),
        pytest.param((207, json.dumps({"accepted": 1, "ids": [], "results": [LATER]})), id="207"),
    ],
)
async def test_not_now_is_sent_again(emit: Emit, answer: tuple[int, str]) -> None:
    """Limits and outages, also of one event of a batch, are waited for; the same bytes are sent again."""
    status, text = answer
    emit.answers = [
        web.Response(status=status, text=text, headers={"Retry-After": "0"}),
        web.json_response({"accepted": 2, "ids": []}, status=202),
    ]
    async with EmitClient(emit.settings()) as client:
        assert await client.post({}, b"[1]") == Accepted(accepted=2, refused=(), repeats=1)
    assert [body for _, body in emit.requests] == [b"[1]", b"[1]"]


async def test_refused_events_are_named(emit: Emit) -> None:
    """What emit refuses for good is not sent again, and its words are kept."""
    emit.answers = [web.json_response({"accepted": 1, "ids": [], "results": [REFUSED]}, status=207)]
    async with EmitClient(emit.settings()) as client:
        answer = await client.post({}, b"[]")
    assert answer == Accepted(accepted=1, refused=("x: invalid_time, time is wrong",), repeats=0)


@pytest.mark.parametrize(
    ("status", "said"), [(401, "EMIT_API_KEY"), (403, "EMIT_API_KEY"), (400, "400: send an event"), (413, "413")]
)
async def test_a_refusal_of_the_whole_request_is_an_error(emit: Emit, status: int, said: str) -> None:
    """A wrong key or a wrong request is never sent again; the error says what to change."""
    emit.answers = [web.json_response({"detail": "send an event"}, status=status)]
    async with EmitClient(emit.settings()) as client:
        with pytest.raises(ConfigurationError, match=said):
            await client.post({}, b"")


async def test_patience_ends(emit: Emit) -> None:
    """A request that is not accepted in time fails with emit's last words."""
    emit.answers = [web.Response(status=503, text="starting", headers={"Retry-After": "9"})]
    async with EmitClient(emit.settings(), patience_seconds=0.1) as client:
        with pytest.raises(DependencyUnavailable, match="starting"):
            await client.post({}, b"")


async def test_a_pipeline_that_is_down_is_told_with_the_next_step() -> None:
    """Nobody listens: the error says how to start the pipeline."""
    settings = Settings(_env_file=None, function_url_emit="http://127.0.0.1:9")
    async with EmitClient(settings) as client:
        with pytest.raises(DependencyUnavailable, match="make up"):
            await client.require_ready()


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_sdk_s_event_is_the_one_that_emit_reads(mode: str) -> None:
    """In both modes every option arrives as the attribute it names."""
    message = Message(type="purchase", source="shop", user="user_7", data='{"data": "1"}', event_id="id-1")
    headers, body = _MODES[mode](_event(message))
    (event,) = decode_request([(name.lower(), value) for name, value in headers.items()], body).events
    assert isinstance(event, CloudEvent)
    assert (event.id, event.source, event.type, event.subject) == ("id-1", "shop", "purchase", "user_7")
    assert event.data == {"data": "1"}
    assert event.time is not None
