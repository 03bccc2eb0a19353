"""What an operator gives by command, and what a login opens, at the functions of a whole pipeline."""

import json
import urllib.error
import urllib.request
import uuid
from typing import Any

from tests.support.pipeline import Pipeline

_SECONDS = 10
_EVENT = {"specversion": "1.0", "source": "operator", "type": "click"}


def test_a_key_of_an_operator_works_until_it_is_revoked(pipeline: Pipeline) -> None:
    """Row 11: `access key create` prints a key that opens emit and nothing else, and `revoke` ends it at once."""
    name = f"partner-{uuid.uuid4().hex[:8]}"
    made = pipeline.run("-m", "signal_pipeline", "access", "key", "create", name, "--scope", "signals:write")
    assert made.returncode == 0, made.stderr
    key = {"x-api-key": made.stdout.strip()}
    assert _emit(pipeline, key) == 202
    assert _emit(pipeline, {"x-api-key": key["x-api-key"][:-1]}) == 401
    assert _status(f"{pipeline.settings.function_url('replay-dlq')}/dead-letters", key) == 403
    done = pipeline.run("-m", "signal_pipeline", "access", "key", "revoke", name)
    assert done.returncode == 0, done.stderr
    assert _emit(pipeline, key) == 401
    assert made.stdout.strip() not in done.stdout


def test_a_logged_out_token_opens_nothing(pipeline: Pipeline) -> None:
    """Row 8: after logout the access token, unexpired as it is, opens neither emit nor the replay API."""
    auth, replay = (pipeline.settings.function_url(role) for role in ("auth", "replay-dlq"))
    password = pipeline.settings.auth_admin_password.get_secret_value()
    pair = _post(f"{auth}/auth/token", {"username": "admin", "password": password})
    token = {"authorization": f"Bearer {pair['access_token']}"}
    assert (_emit(pipeline, token), _status(f"{replay}/jobs", token)) == (202, 200)
    _post(f"{auth}/auth/revoke", {"token": pair["refresh_token"]})
    assert (_emit(pipeline, token), _status(f"{replay}/jobs", token)) == (401, 401)


def _emit(pipeline: Pipeline, credential: dict[str, str]) -> int:
    body = json.dumps({**_EVENT, "id": str(uuid.uuid4())}).encode()
    headers = {"content-type": "application/cloudevents+json", **credential}
    return _status(f"{pipeline.settings.function_url('emit')}/emit", headers, body)


def _post(url: str, content: dict[str, str]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the pipeline's own
        url, json.dumps(content).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None


def _status(url: str, headers: dict[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - the pipeline's own
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
