"""OpenFaaS' gateway as far as a connector needs it: which functions there are, and where each is called."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import aiohttp
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context

__all__ = ["DeployedFunction", "Gateway"]

_TIMEOUT_SECONDS: Final = 10.0
_OK: Final = 200


@dataclass(frozen=True, kw_only=True)
class DeployedFunction:
    """A function that is deployed.

    Attributes:
        name: Its name.
        annotations: Its annotations; among them `topic`, a list separated by commas.
    """

    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it subscribes to, each once, in order; none without the annotation."""
        listed = (one.strip() for one in self.annotations.get("topic", "").split(","))
        return tuple(dict.fromkeys(filter(None, listed)))


class _Status(BaseModel):
    name: str = Field(pattern=r"^[-a-zA-Z0-9_.]+$")  # it becomes a part of paths and addresses
    annotations: dict[str, str] | None = None


_LISTING: Final = TypeAdapter(list[_Status])


class Gateway:
    """The gateway. Use as an async context manager.

    The login goes with questions about the system only: functions are called without it.

    Args:
        settings: Address and login.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.openfaas_url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=client_context(self._settings)),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
            headers=self._login(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def address(self, function: str) -> str:
        """Return where a function is called."""
        return f"{self._url}/function/{function}"

    async def functions(self) -> tuple[DeployedFunction, ...]:
        """Return the functions of the gateway's own namespace.

        Raises:
            DependencyUnavailable: the gateway does not answer, refuses the login, or answers what is no list.
        """
        try:
            listing = _LISTING.validate_json(await self._ask("/system/functions"))
        except ValidationError as exc:
            raise DependencyUnavailable("the gateway's list of functions cannot be read") from exc
        return tuple(DeployedFunction(name=one.name, annotations=one.annotations or {}) for one in listing)

    async def _ask(self, path: str) -> bytes:
        if self._session is None:
            raise RuntimeError("the gateway is used outside its context")
        try:
            async with self._session.get(self._url + path, allow_redirects=False) as response:
                if response.status != _OK:
                    raise DependencyUnavailable(f"the gateway answers {response.status} to GET {path}")
                return await response.read()
        except (aiohttp.ClientError, aiohttp.InvalidURL, OSError) as exc:  # a timeout is an OSError too
            raise DependencyUnavailable(f"the gateway does not answer: {type(exc).__name__}") from exc

    def _login(self) -> dict[str, str]:
        user, password = self._settings.openfaas_username, self._settings.openfaas_password.get_secret_value()
        if not user:
            return {}
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
