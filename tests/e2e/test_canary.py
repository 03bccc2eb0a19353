"""Row 47 of the abuse matrix: what callers use as a credential turns up nowhere: answers, metrics, tables, topics."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator

import psycopg

from signal_pipeline.topology import ROLES, TOPICS
from tests.checker.kafka import read_topic
from tests.support.metrics import page
from tests.support.metrics_run import settle
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, event

_SECONDS = 10
_TABLES = (
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1"
)


async def test_no_credential_turns_up_anywhere(pipeline: Pipeline, sender: Sender) -> None:
    """Wrong ones and right ones, beside good events and bad, in every header that carries one, and as a password."""
    word = f"canary{uuid.uuid4().hex}"
    answers = [_ask(url, headers, body) for url, headers, body in _attempts(pipeline, sender, word)]
    assert {status for status, _ in answers} >= {202, 400, 401}
    settle(pipeline)
    shown = {f"answer {number}": text for number, (_, text) in enumerate(answers)}
    shown |= {f"metrics of {role.name}": page(pipeline.settings.metrics_port(role.name)) for role in ROLES}
    shown |= {f"topic {topic.name}": str(read_topic(pipeline.broker, topic.name)) for topic in TOPICS}
    shown |= dict(_tables(pipeline))
    assert len(shown) > 30
    assert [where for where, text in shown.items() if word in text] == []


def _attempts(pipeline: Pipeline, sender: Sender, word: str) -> Iterator[tuple[str, dict[str, str], bytes]]:
    emit, auth = pipeline.settings.function_url("emit"), pipeline.settings.function_url("auth")
    right = {"x-api-key": pipeline.settings.emit_api_keys[0]}
    carriers = [
        {"x-api-key": word},
        {"authorization": f"Bearer {word}"},
        {"authorization": f"Basic {word}"},
        {"cookie": word, "proxy-authorization": word},
        {**right, "cookie": word, "x-secret": word, "x-correlation-id": f"{word} is no id"},
    ]
    structured = {"content-type": "application/cloudevents+json"}
    for body in (event(sender.source), {**event(sender.source), "id": ""}, {**event(sender.source), "time": "never"}):
        for carrier in carriers:
            yield f"{emit}/emit", {**structured, **carrier}, json.dumps(body).encode()
    yield f"{emit}/emit?x-api-key={word}&access_token={word}", right, b""
    for name, password in (("admin", word), (word, "x"), (word, word)):
        body = json.dumps({"username": name, "password": password}).encode()
        yield f"{auth}/auth/token", {"content-type": "application/json"}, body
    for operation in ("refresh", "revoke", "verify"):
        body = json.dumps({"refresh_token" if operation == "refresh" else "token": word}).encode()
        yield f"{auth}/auth/{operation}", {"content-type": "application/json", "authorization": f"Bearer {word}"}, body


def _ask(url: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - the pipeline's own
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return answer.status, f"{answer.headers}{answer.read().decode()}"
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, f"{refused.headers}{refused.read().decode()}"


def _tables(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    with psycopg.connect(pipeline.database_url) as connection:
        for (name,) in connection.execute(_TABLES).fetchall():
            yield f"table {name}", str(connection.execute(f'TABLE "{name}"').fetchall())
