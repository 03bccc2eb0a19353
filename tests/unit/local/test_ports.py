"""Ports that cannot be used are named before anything starts."""

import os
import re
import socket
from collections.abc import Iterator

import pytest

from local.ports import PortError, check_ports, holder, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_its_setting_and_holder(taken: int) -> None:
    """The message says which port, who has it, and which setting moves ours."""
    expected = rf"port {taken} is in use by pid {os.getpid()} \(.*\); free it or set KAFKA_PORT to another port"
    with pytest.raises(PortError, match=expected):
        check_ports({"KAFKA_PORT": taken}, "127.0.0.1")


def test_all_problems_are_told_at_once(taken: int) -> None:
    """A person who moves one port should not meet the next error only at the next start."""
    with pytest.raises(PortError) as caught:
        check_ports({"KAFKA_PORT": taken, "REDIS_PORT": taken}, "127.0.0.1")
    assert str(caught.value).count("\n") == 2
    assert re.search(rf"port {taken} is asked for by KAFKA_PORT and REDIS_PORT", str(caught.value))


def test_a_port_is_free_again_when_its_server_is_closed() -> None:
    """Connections that linger after a server (TIME_WAIT) do not count as use."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    assert is_free(port, "127.0.0.1")
    assert holder(port) == ""


def test_a_port_taken_by_an_outgoing_connection_is_explained(taken: int) -> None:
    """Nobody listens on it, so the range from which the system took it is told."""
    with socket.create_connection(("127.0.0.1", taken)) as client:
        port = client.getsockname()[1]
        with pytest.raises(PortError, match=rf"port {port} is in use by an outgoing connection, .*; free it or set"):
            check_ports({"KAFKA_PORT": port}, "127.0.0.1")
