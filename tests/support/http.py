"""JSON over HTTP to the pipeline's functions."""

import json
import urllib.request
from typing import Any

__all__ = ["request_json"]

_TIMEOUT_SECONDS = 10


def request_json(url: str, *, body: Any = None, token: str | None = None) -> Any:
    """Return the JSON of a GET, or of a POST when there is a body; `HTTPError` when it is refused."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    # The addresses are the pipeline's own.
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        return json.load(answer)
