"""Ports: are they free, and if not, who has them and which setting moves ours."""

import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["PortError", "check_ports", "holder", "is_free"]

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


class PortError(RuntimeError):
    """A port cannot be used; the message names it, its setting and, if it can be read, its holder."""


def check_ports(ports: Mapping[str, int], address: str) -> None:
    """Refuse ports that are taken or asked for twice.

    Args:
        ports: Setting name (`KAFKA_PORT`) to port.
        address: Where the services will listen.

    Raises:
        PortError: all problems, one a line.
    """
    problems = [*_doubles(ports), *_taken(ports, address)]
    if problems:
        raise PortError("\n".join(problems))


def _doubles(ports: Mapping[str, int]) -> Iterable[str]:
    settings = defaultdict(list)
    for setting, port in ports.items():
        settings[port].append(setting)
    for port, names in settings.items():
        if len(names) > 1:
            yield f"port {port} is asked for by {' and '.join(names)}; give one of them another value"


def _taken(ports: Mapping[str, int], address: str) -> Iterable[str]:
    for setting, port in ports.items():
        if not is_free(port, address):
            by = holder(port) or _outgoing(port)
            yield f"port {port} is in use{f' by {by}' if by else ''}; free it or set {setting} to another port"


def is_free(port: int, address: str) -> bool:
    """Tell whether a server could listen there now (connections in TIME_WAIT do not matter)."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Return the process that listens on a port as `pid 123 (command)`; empty when /proc does not tell."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for fd in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        with suppress(OSError):
            if str(fd.readlink()) in inodes:
                command = (fd.parent.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return f"pid {fd.parent.parent.name} ({_shorten(command.strip())})"
    return ""


def _outgoing(port: int) -> str:
    """Explain a port without a listener that lies where the system takes ports for outgoing connections."""
    with suppress(OSError):
        first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        if first <= port <= last:
            return f"an outgoing connection, for which the system takes ports from {first} to {last}"
    return ""


def _listening_inodes(port: int) -> Iterable[str]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _shorten(command: str, limit: int = 60) -> str:
    # A Java command line begins with pages of options: its class name says what it is.
    java = re.match(r"\S*java .*?(\S+) \S*$", command)
    shown = f"java … {java[1]}" if java else command
    return shown if len(shown) <= limit else f"{shown[:limit]}…"
