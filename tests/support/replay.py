"""replay-dlq as a person reaches it in a running pipeline."""

from typing import Any

from tests.support.http import request_json
from tests.support.pipeline import Pipeline

__all__ = ["ask_replay", "order_replay", "replay_token"]


def replay_token(pipeline: Pipeline) -> str:
    """Return a token of the user admin."""
    password = pipeline.settings.auth_admin_password.get_secret_value()
    url = f"{pipeline.settings.function_url('auth')}/auth/token"
    return str(request_json(url, body={"username": "admin", "password": password})["access_token"])


def ask_replay(pipeline: Pipeline, path: str, *, body: Any = None, token: str | None = None) -> Any:
    """Return the JSON of a GET, or of a POST when there is a body; as the user admin where no token is given."""
    if token is None and pipeline.settings.secured:
        token = replay_token(pipeline)
    return request_json(f"{pipeline.settings.function_url('replay-dlq')}{path}", body=body, token=token)


def order_replay(pipeline: Pipeline, **wanted: Any) -> tuple[dict[str, Any], str]:
    """Plan a replay and execute the plan; return the plan and the id of its job."""
    token = replay_token(pipeline)
    plan = ask_replay(pipeline, "/replay", body=wanted, token=token)
    job = ask_replay(pipeline, "/replay", body={"plan": plan["plan"], "reason": "repaired"}, token=token)["job"]
    return plan, str(job)
