"""How connections are protected, as addresses tell it. Pure: texts in, answers out."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

__all__ = ["refuse_open_connections", "with_authority"]

# libpq's modes that refuse a server without TLS; `prefer`, its default, goes on without.
_TLS_MODES = frozenset({"require", "verify-ca", "verify-full"})


def with_authority(database_url: str, authority: str) -> str:
    """Name the authority in an address of PostgreSQL that asks for verification and names none.

    >>> with_authority("postgresql://db/x?sslmode=verify-full", "ca.pem")
    'postgresql://db/x?sslmode=verify-full&sslrootcert=ca.pem'
    >>> with_authority("postgresql://db/x", "ca.pem")
    'postgresql://db/x'
    """
    url = urlsplit(database_url)
    options = parse_qs(url.query)
    if not authority or "sslrootcert" in options or not options.get("sslmode", [""])[0].startswith("verify-"):
        return database_url
    return urlunsplit(url._replace(query=f"{url.query}&{urlencode({'sslrootcert': authority}, safe='/')}"))


def refuse_open_connections(*, kafka: str, kafka_protocol: str, database_url: str, redis_url: str) -> None:
    """Let no data travel to another machine unprotected.

    Raises:
        ValueError: it would; the message names the variables and what to set, and never a value.
    """
    found = _open_addresses(kafka, kafka_protocol, database_url, redis_url)
    if told := ", ".join(f"{variable} (set {remedy})" for variable, remedy in found):
        raise ValueError(
            f"ENVIRONMENT=production takes no unencrypted connection to another machine: {told}; "
            "or ALLOW_PLAINTEXT=true where the network itself is protected"
        )


def _open_addresses(kafka: str, kafka_protocol: str, database_url: str, redis_url: str) -> Iterator[tuple[str, str]]:
    if kafka_protocol in {"PLAINTEXT", "SASL_PLAINTEXT"} and not all(map(_is_here, _hosts(kafka))):
        yield "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_SECURITY_PROTOCOL=SASL_SSL"
    mode = parse_qs(urlsplit(database_url).query).get("sslmode", [""])[0]
    if mode not in _TLS_MODES and not all(map(_is_here, _hosts(urlsplit(database_url).netloc.rpartition("@")[2]))):
        yield "DATABASE_URL", "?sslmode=verify-full in it"
    redis = urlsplit(redis_url)
    if redis.scheme == "redis" and not _is_here(redis.hostname or ""):
        yield "REDIS_URL", "rediss:// in it"


def _hosts(addresses: str) -> Iterator[str]:
    """Yield the hosts of `host:port,host:port`; an empty one is a socket of this machine."""
    for address in addresses.split(","):
        yield urlsplit(f"//{address.strip()}").hostname or ""


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
