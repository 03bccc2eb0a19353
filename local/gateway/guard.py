"""Who may use /system, which can stop, change and read everything.

with GATEWAY_PASSWORD, or with security on: whoever is admin with that password ── 401, 429 after many attempts
without: whoever is on this machine and meant to call it ── 403

No page of another origin, either way: a browser sends its user's address, and remembers passwords.
"""

import base64
import binascii
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Scope

from signal_pipeline.security.api_keys import matches_any
from signal_pipeline.security.limits import Layer, LocalLimiter
from signal_pipeline.settings import Settings

__all__ = ["Guard", "Refusal"]

_USER: Final = b"admin"
_OWN_SITES: Final = frozenset(("", "same-origin", "none"))  # of Sec-Fetch-Site; none is an address typed by a person
Refusal = tuple[int, str]


class Guard:
    """The doorkeeper of /system.

    Args:
        settings: The password, and whether security is on.
    """

    def __init__(self, settings: Settings) -> None:
        self._password = settings.gateway_password.get_secret_value()
        self._asks = settings.secured or bool(self._password)
        self._attempts = LocalLimiter()
        self._per_second = settings.login_attempts_per_minute / 60
        self._burst = settings.login_attempts_per_minute

    async def refusal(self, scope: Scope) -> Refusal | None:
        """Return status and message for whoever may not; None for whoever may."""
        headers = _Headers(scope["headers"])
        if not _same_origin(headers, scope["scheme"]):
            return 403, "pages of other origins may not use the gateway"
        address = scope["client"][0] if scope.get("client") else ""
        if not self._asks:
            return None if _is_here(address) and _is_here(_hostname(headers.one("host"))) else _ONLY_HERE
        if matches_any(_password_of(headers.one("authorization")), [self._password]):
            return None
        attempt = Layer(name="login", subject=address, per_second=self._per_second, burst=self._burst)
        if not (await self._attempts.take([attempt])).allowed:
            return 429, "too many attempts at the password"
        return 401, "invalid credentials"


_ONLY_HERE: Final = (403, "without GATEWAY_PASSWORD the gateway is managed from this machine only, as localhost")


class _Headers:
    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._values = [(name, value.decode("latin-1")) for name, value in headers]

    def one(self, name: str) -> str:
        """Return the value of a header; empty when it is missing, or there several times."""
        found = [value for given, value in self._values if given == name.encode()]
        return found[0] if len(found) == 1 else ""


def _same_origin(headers: _Headers, scheme: str) -> bool:
    origin = headers.one("origin")
    if origin and origin.lower() != f"{scheme}://{headers.one('host').lower()}":
        return False
    return headers.one("sec-fetch-site") in _OWN_SITES


def _hostname(host: str) -> str:
    """Return the name in a Host header; empty when it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    """Tell whether a name or an address can be nobody's but this machine's; a name of DNS can change its address."""
    if host == "localhost":
        return True
    try:
        found = ip_address(host)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback


def _password_of(authorization: str) -> str:
    """Return admin's password of a Basic credential; empty for everything else, such as faas-cli's empty Bearer."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return ""
    return password.decode("latin-1") if scheme.lower() == "basic" and user == _USER else ""
