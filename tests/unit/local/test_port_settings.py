"""Which ports the settings take from the environment."""

import pytest
from pydantic import ValidationError

from signal_pipeline.settings import Settings


@pytest.mark.parametrize("link", ["tcp://10.0.0.5:5432", "udp://10.0.0.5:5432", "sctp://[fd00::5]:5432"])
def test_a_service_link_is_no_port(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kubernetes says of a Service named postgres does not keep a pod from starting: the default holds, moved."""
    monkeypatch.setenv("POSTGRES_PORT", link)
    monkeypatch.setenv("REDIS_PORT", "7000")
    settings = Settings(_env_file=None, port_offset=100)
    assert (settings.postgres_port, settings.redis_port) == (5532, 7000)


@pytest.mark.parametrize("value", ["http://10.0.0.5:5432", "10.0.0.5:5432", "tcp", "0", ""])
def test_what_is_neither_port_nor_service_link_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of the operator is told, not replaced by the default."""
    monkeypatch.setenv("POSTGRES_PORT", value)
    with pytest.raises(ValidationError, match="postgres_port"):
        Settings(_env_file=None)
