"""HTTP answers as tests look at them, and JSON over HTTP to the pipeline's functions and components."""

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "request_json", "send"]

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: Status code.
        headers: Header values by name in lower case.
        body: The whole body.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


def request_json(url: str, *, body: Any = None, token: str | None = None) -> Any:
    """Return the JSON of a GET, or of a POST when there is a body; `HTTPError` when it is refused."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    # The addresses are the pipeline's own.
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        return json.load(answer)


def send(url: str, *, method: str) -> None:
    """Make a request without a body and drop what is answered; `HTTPError` when it is refused."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=_TIMEOUT_SECONDS):  # noqa: S310
        pass
