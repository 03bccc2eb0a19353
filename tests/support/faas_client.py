"""faas-cli 0.18 as a gateway sees it: the same bytes for each of its commands, and what it makes of the answers.

Written after its source, and that of OpenFaaS' SDK for Go: headers in Go's order, bodies in the order of Go's fields
without what is empty, the namespace behind a function's name, an empty Bearer without a login.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from tests.support.http import Answer
from tests.support.pipeline import Pipeline

__all__ = ["FaasClient"]

_SECONDS: Final = 60.0  # its own default
_NAMESPACE: Final = "openfaas-fn"
_DEPLOYMENT: Final = (
    "service", "image", "namespace", "envProcess", "envVars", "constraints", "secrets", "labels", "annotations",
    "limits", "requests", "readOnlyRootFilesystem",
)  # fmt: skip


class FaasClient:
    """A client of a gateway.

    Args:
        gateway: Address, as `--gateway` and OPENFAAS_URL give it.
        password: Of a login as admin; empty for none.
        tls: Whom to trust, for https.
    """

    def __init__(self, gateway: str, *, password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self._address = urlsplit(gateway.rstrip("/"))
        self._tls = tls
        login = base64.b64encode(f"admin:{password}".encode()).decode()
        # Go cuts the blank behind the word of an empty token.
        self._authorization = f"Basic {login}" if password else "Bearer"

    @classmethod
    def of(cls, pipeline: Pipeline, *, password: str | None = None) -> "FaasClient":
        """Return the client of a pipeline, logged in with a password: the right one, where there is one, if None."""
        settings = pipeline.settings
        tls = ssl.create_default_context(cafile=settings.tls_ca_file) if settings.tls_ca_file else None
        gateway = f"{settings.scheme}://127.0.0.1:{settings.gateway_port}"
        right = settings.gateway_password.get_secret_value()
        return cls(gateway, password=right if password is None else password, tls=tls)

    def list(self) -> Answer:
        """`faas-cli list`."""
        return self._system("GET", "/system/functions")

    def describe(self, name: str) -> Answer:
        """`faas-cli describe NAME`."""
        return self._system("GET", f"/system/function/{name}?usage=1")

    def deploy(self, name: str, image: str, **more: Any) -> "tuple[Answer, ...]":
        """`faas-cli deploy`: an update, and after 404 a creation; all answers."""
        order = {"service": name, "image": image, "labels": {}, "annotations": {}, **more}
        body = {field: order[field] for field in _DEPLOYMENT if order.get(field) or field in {"labels", "annotations"}}
        updated = self._system("PUT", "/system/functions", body)
        return (updated,) if updated.status != 404 else (updated, self._system("POST", "/system/functions", body))

    def remove(self, name: str) -> Answer:
        """`faas-cli remove NAME`."""
        return self._system("DELETE", "/system/functions", {"functionName": name})

    def scale(self, name: str, replicas: int) -> Answer:
        """Scale, as the SDK does it."""
        return self._system(
            "POST", f"/system/scale-function/{name}", {"serviceName": name, "replicas": replicas, "namespace": ""}
        )

    def invoke(
        self,
        name: str,
        body: bytes = b"",
        *,
        method: str = "POST",
        content_type: str = "text/plain",
        headers: Mapping[str, str] = {},
        query: str = "",
        asynchronous: bool = False,
    ) -> Answer:
        """`faas-cli invoke NAME`, with `--async` and `--query`; the login stays with the client."""
        kind = "async-function" if asynchronous else "function"
        path = f"/{kind}/{name}.{_NAMESPACE}{f'?{query}' if query else ''}"
        return self._send(method, path, {"Content-Type": content_type, **headers}, body)

    def logs(self, name: str, **query: Any) -> Iterator[dict[str, Any]]:
        """`faas-cli logs NAME`, line by line; closing the iterator is Ctrl-C."""
        given = {"follow": "false", "name": name, **{key: str(value) for key, value in query.items()}}
        path = "/system/logs?" + urlencode(sorted(given.items()), quote_via=quote)
        with closing(self._connected("GET", path, {"Authorization": self._authorization}, None)) as connection:
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            assert answer.headers["Content-Type"] == "application/x-ndjson"
            for line in answer:
                yield json.loads(line)

    def get(self, path: str) -> Answer:
        """`faas-cli version`, `namespaces`, `secret list`, `ready`: a GET."""
        return self._system("GET", path)

    def _system(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Authorization": self._authorization}
        if body is None:
            return self._send(method, path, headers, None)
        encoded = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        return self._send(method, path, {**headers, "Content-Type": "application/json"}, encoded)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        with closing(self._connected(method, path, headers, body)) as connection:
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(status=answer.status, headers=found, body=answer.read())

    def _connected(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> http.client.HTTPConnection:
        """Return a connection on which the request was sent, in Go's order of headers."""
        host = self._address.netloc
        connection = (
            http.client.HTTPConnection(host, timeout=_SECONDS)
            if self._tls is None
            else http.client.HTTPSConnection(host, timeout=_SECONDS, context=self._tls)
        )
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        ordered = {"Host": host, "User-Agent": "faas-cli/0.18.0"}
        if body is not None:
            ordered["Content-Length"] = str(len(body))
        for name, value in {**ordered, **dict(sorted(headers.items())), "Accept-Encoding": "gzip"}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection
