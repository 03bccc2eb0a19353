"""Logs: one JSON object a line, of each role; without anything that a sender or a person keeps to itself."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from signal_pipeline.topology import ROLES
from tests.checker.model import RawRecord
from tests.support.metrics_run import settle
from tests.support.pipeline import Pipeline
from tests.support.sender import Sender, binary_record, event

_SECONDS = 10
_ROLES = [*(role.name for role in ROLES), *(f"{role.name}-trigger" for role in ROLES if role.trigger_port)]
# Escape sequences of a terminal: one of seven bits, one of eight, and one that deletes.
_CONTROLS = "\x1b[31m\x9b31m\x7f\u2028"


async def test_no_log_holds_data_keys_or_passwords(pipeline: Pipeline, sender: Sender) -> None:
    """A word sent as data, good and bad, as key, header, credential and in addresses stands in no log of any part."""
    word = f"canary-{uuid.uuid4().hex}"
    first = event(sender.source, data={"session_id": f"sess_11{word}", "data": f"{word}_99"})
    conflict = {**event(f"{sender.source}-second", data={"data": word}), "id": first["id"]}
    await sender.post_all([[first]])
    settle(pipeline)
    sender.produce(
        "signal-events",
        [
            (binary_record(conflict), None),
            (RawRecord(key=word.encode(), value=f'{{"data": "{word}'.encode(), headers=((word, word.encode()),)), None),
            (binary_record({**event(sender.source, data=word), "time": word}), None),
        ],
    )
    _try_the_doors(pipeline, word)
    settle(pipeline)
    assert len(list(_logs(pipeline))) > len(_ROLES)
    assert [path.name for path in _logs(pipeline) if word in path.read_text(errors="replace")] == []


async def test_each_line_is_one_object_without_control_characters(pipeline: Pipeline, sender: Sender) -> None:
    """Every line of every role is a JSON object with time, level, role and event, whatever a sender's ids are."""
    wild = {**event(sender.source, id=f"{_CONTROLS}\nid"), "correlationid": f"{_CONTROLS}\r\nid"}
    assert not await sender.post_batch([wild])
    sender.produce("signal-events", [(binary_record(wild), None)])
    settle(pipeline)
    for role in _ROLES:
        lines = (pipeline.state / "logs" / f"{role}.log").read_text().split("\n")
        assert lines.pop() == "", role
        assert lines, role
        for line in lines:
            assert all(character.isprintable() for character in line), line
            assert {"timestamp", "level", "role", "event"} <= json.loads(line).keys(), line


def _try_the_doors(pipeline: Pipeline, word: str) -> None:
    """Ask what is refused, with the word in each place where a secret, or anything of a caller's own, may stand."""
    settings = pipeline.settings
    emit, auth, replay = (settings.function_url(role) for role in ("emit", "auth", "replay-dlq"))
    token = {"Authorization": f"Bearer {word}"}
    login = json.dumps({"username": "admin", "password": word}).encode()
    for url, headers, body in (
        (f"{emit}/emit", {"X-API-Key": word}, b""),
        (f"{emit}/emit", token, b""),
        (f"{emit}/emit", {"X-API-Key": settings.emit_api_key.get_secret_value()}, f'{{"count": "{word}"}}'.encode()),
        (f"{emit}/{word}?key={word}", {}, b""),
        (f"{auth}/auth/token", {}, login),
        (f"{auth}/auth/token", {}, login[:-1]),
        (f"{auth}/auth/refresh", {}, json.dumps({"refresh_token": word}).encode()),
        (f"{auth}/auth/verify", token, b""),
        (f"{replay}/replay", token, json.dumps({"filter": {"code": word}}).encode()),
    ):
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json", **headers})  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match=r"4[0-9]{2}"):
            urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310


def _logs(pipeline: Pipeline) -> Iterator[Path]:
    """Yield the logs of all parts: those of the database and the broker, too."""
    return (pipeline.state / "logs").glob("*.log*")
