"""Who calls, behind proxies and behind lies."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.serving.client_address import UNKNOWN, TrustedProxies
from signal_pipeline.settings import Settings

PROXIES = TrustedProxies("10.0.0.0/8, 2001:db8:ffff::/48")
PROXY = "10.0.0.1"
# The longest answer: a network of IPv6 with four groups of four digits.
MOST_CHARACTERS = len("2001:0db8:0db8:0db8::/64")

addresses = st.ip_addresses().map(str)
callers = st.ip_addresses(v=4).filter(lambda address: address.packed[0] != 10).map(str)
headers = st.lists(st.binary(max_size=200), max_size=5)


def scope(peer: str | None, *forwarded: str | bytes) -> Scope:
    """Return the scope of a request from a peer, with one X-Forwarded-For field for each value."""
    values = [value.encode("latin-1") if isinstance(value, str) else value for value in forwarded]
    client = None if peer is None else (peer, 5000)
    return {"type": "http", "client": client, "headers": [(b"x-forwarded-for", value) for value in values]}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("203.0.113.9",), "192.0.2.1"),  # a stranger's claim
        (PROXY, (), PROXY),
        (PROXY, ("203.0.113.9",), "203.0.113.9"),
        (PROXY, ("1.1.1.1, 203.0.113.9",), "203.0.113.9"),  # the left one is the caller's own claim
        (PROXY, ("1.1.1.1, 203.0.113.9, 10.9.9.9",), "203.0.113.9"),  # two trusted proxies in a row
        (PROXY, ("1.1.1.1", "203.0.113.9"), "203.0.113.9"),  # the proxy added a field of its own
        (PROXY, ("203.0.113.9:4711",), "203.0.113.9"),
        (PROXY, ("[2001:db8:1:2:3:4:5:6]:4711",), "2001:db8:1:2::/64"),
        (PROXY, ("10.1.1.1, 10.2.2.2",), "10.1.1.1"),  # all are proxies: a call from among them
        (PROXY, ("203.0.113.9, nonsense",), PROXY),  # what the trusted proxy wrote is no address
        (PROXY, ("203.0.113.9, ",), PROXY),
        ("2001:db8:ffff::1", ("203.0.113.9",), "203.0.113.9"),
        ("::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),  # a socket that takes both families shows IPv4 so
        ("::ffff:192.0.2.1", (), "192.0.2.1"),
        ("fe80::1%eth0", (), "fe80::/64"),
        ("/run/socket", (), UNKNOWN),
        (None, ("203.0.113.9",), UNKNOWN),
    ],
)
def test_the_caller_is_the_rightmost_that_is_no_trusted_proxy(
    peer: str | None, forwarded: tuple[str, ...], expected: str
) -> None:
    """Only what trusted proxies wrote is believed, and IPv6 counts by its network."""
    assert PROXIES.address(scope(peer, *forwarded)) == expected


def test_without_proxies_nothing_is_believed() -> None:
    """With the setting's default no header changes who calls."""
    proxies = TrustedProxies.of(Settings(_env_file=None))
    assert proxies.address(scope("127.0.0.1", "203.0.113.9")) == "127.0.0.1"


@given(lies=st.lists(addresses, max_size=5), caller=callers)
def test_a_caller_behind_a_proxy_cannot_choose_its_address(lies: list[str], caller: str) -> None:
    """Whatever a caller writes into the header, the address that the proxy saw is found."""
    assert PROXIES.address(scope(PROXY, ", ".join([*lies, caller]))) == caller


@given(first=st.ip_addresses(v=6), host=st.integers(0, 2**64 - 1))
def test_all_addresses_of_a_customer_are_one(first: IPv6Address, host: int) -> None:
    """Two IPv6 addresses with the same first 64 bits are the same caller."""
    nobody = TrustedProxies("")
    second = IPv6Address((int(first) >> 64 << 64) | host)
    if first.ipv4_mapped is None and second.ipv4_mapped is None:
        assert nobody.address(scope(str(first))) == nobody.address(scope(str(second)))


@given(address=st.ip_addresses(v=4))
def test_ipv4_inside_of_ipv6_is_ipv4(address: IPv4Address) -> None:
    """One caller is not two by which family its connection has."""
    nobody = TrustedProxies("")
    assert nobody.address(scope(f"::ffff:{address}")) == nobody.address(scope(str(address))) == str(address)


@given(values=headers, peer=st.one_of(st.none(), addresses, st.text(max_size=300)))
def test_no_header_breaks_it_or_makes_long_keys(values: list[bytes], peer: str | None) -> None:
    """Any bytes give an address or a network, or what stands for nobody; never an error, never something long."""
    found = TrustedProxies("0.0.0.0/0, ::/0").address(scope(peer, *values))
    assert len(found) <= MOST_CHARACTERS


def test_an_endless_header_is_read_from_its_end() -> None:
    """A header over the limit costs no more than one at it, and an address that the cut goes through is not read."""
    padding = "10.0.0.2," * 500_000
    assert PROXIES.address(scope(PROXY, padding + "203.0.113.9, 10.0.0.3")) == "203.0.113.9"
    # 4096 bytes from the end the text goes on with `3.0.113.9`: 9 characters, and 1 + 454 * 9 behind them.
    assert PROXIES.address(scope(PROXY, "203.0.113.9 " + ",10.0.0.2" * 454)) == "10.0.0.2"


@pytest.mark.parametrize("networks", ["10.0.0.0/33", "proxy.example", "10.0.0.1/8", "10.0.0.0/8;192.168.0.0/16"])
def test_malformed_networks_stop_the_start(networks: str) -> None:
    """A network that is none, or has bits beyond its prefix, is an error that names the setting and the network."""
    with pytest.raises(ConfigurationError, match=r"TRUSTED_PROXIES: '10|TRUSTED_PROXIES: 'proxy") as caught:
        TrustedProxies(networks)
    assert networks in str(caught.value)
