"""Who calls: the address behind proxies that are trusted, and nobody's claim otherwise.

peer ──trusted proxy?──no──▶ the peer; X-Forwarded-For is what anybody can write
             │ yes
             ▼
X-Forwarded-For from the right: each proxy appended whom it saw, so the right-most that is no trusted proxy is the
caller; whatever stands left of it came from the caller itself
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from starlette.types import Scope

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings

__all__ = ["UNKNOWN", "TrustedProxies"]

UNKNOWN: Final = "unknown"  # a caller without an address, such as one on a Unix socket: all of them share one limit
_HEADER: Final = b"x-forwarded-for"
# Only what trusted proxies appended counts, and it stands at the end: 4 KB hold 100 addresses of any kind.
_MOST_BYTES: Final = 4096
# A provider gives a customer at least this much of IPv6; single addresses are free to whoever wants to evade a limit.
_IPV6_PREFIX: Final = 64

_Address: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network


class TrustedProxies:
    """Which peers are proxies whose X-Forwarded-For is believed.

    Args:
        networks: Networks or addresses, separated by commas; empty: the header is never believed.

    Raises:
        ConfigurationError: one is malformed; the message names it and TRUSTED_PROXIES.
    """

    def __init__(self, networks: str) -> None:
        self._networks = [_network(text) for text in networks.replace(",", " ").split()]

    @classmethod
    def of(cls, settings: Settings) -> "TrustedProxies":
        """Return those of the settings."""
        return cls(settings.trusted_proxies)

    def address(self, scope: Scope) -> str:
        """Return the address of the caller of an HTTP request, for limits and logs.

        IPv6 is the network of 64 bits, such as `2001:db8::/64`; IPv4 inside of IPv6 is IPv4. A header that is malformed
        at the place that counts leaves the nearest proxy that was still clear. At most 24 characters, whatever is sent.

        Args:
            scope: ASGI scope of the request.
        """
        client = scope.get("client")
        peer = None if client is None else _parse(client[0])
        if peer is None:
            return UNKNOWN
        nearest = peer
        for text in self._hops(scope) if self._trusts(peer) else ():
            hop = _parse(text)
            if hop is None:
                break
            nearest = hop
            if not self._trusts(hop):
                break
        return _group(nearest)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)

    def _hops(self, scope: Scope) -> list[str]:
        # Several fields count as one: a proxy may append a field of its own instead of to the one that it got.
        whole = b",".join(value for name, value in scope["headers"] if name == _HEADER)
        hops = whole[-_MOST_BYTES:].decode("latin-1").split(",")
        if len(whole) > _MOST_BYTES:
            del hops[0]  # cut in the middle it may look like another address
        return hops[::-1]


def _network(text: str) -> _Network:
    try:
        return ip_network(text)
    except ValueError as exc:
        raise ConfigurationError(f"TRUSTED_PROXIES: {text!r} is no network or address: {exc}") from exc


def _parse(text: str) -> _Address | None:
    """Return an address as a peer or a proxy writes it, with or without a port; None when it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])  # a zone names an interface of this machine and no other caller
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _group(address: _Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((address, _IPV6_PREFIX), strict=False))
