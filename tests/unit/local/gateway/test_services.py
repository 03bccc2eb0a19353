"""The gateway and the functions as the supervisor runs them."""

from pathlib import Path

import pytest

from local.components.pipeline import functions, gateway
from local.deployments import Deployment, Deployments
from local.gateway.calls import source_address
from local.layout import Layout
from local.service import Unusable
from signal_pipeline.serving.client_address import TrustedProxies
from signal_pipeline.settings import Settings

SETTINGS = Settings(_env_file=None)


def test_the_gateway_has_one_port_and_needs_nobody() -> None:
    """Its setting moves it; a port that is taken is named by it; with a certificate it is reached over https."""
    service = gateway(Settings(_env_file=None, gateway_port=9999, tls_cert_file="c", tls_key_file="k"))
    assert (service.ports, service.needs, service.url) == ({"GATEWAY_PORT": 9999}, (), "https://127.0.0.1:9999")
    assert gateway(SETTINGS).url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(("given", "believed"), [("", {"127.0.0.80"}), ("10.0.0.0/8", {"127.0.0.80", "10.1.1.1"})])
def test_functions_believe_the_gateway_and_nobody_else_here(tmp_path: Path, given: str, believed: set[str]) -> None:
    """Its address is added to TRUSTED_PROXIES; another caller of this machine stays who it is."""
    services = functions(SETTINGS.model_copy(update={"trusted_proxies": given}), Layout(state=tmp_path))
    for service in services:
        proxies = TrustedProxies(service.env["TRUSTED_PROXIES"])
        forged = [(b"x-forwarded-for", b"192.0.2.1")]
        found = {
            peer: proxies.address({"type": "http", "client": (peer, 1), "headers": forged})
            for peer in ("127.0.0.1", "127.0.0.80", "10.1.1.1")
        }
        assert {peer for peer, address in found.items() if address == "192.0.2.1"} == believed


def test_a_function_elsewhere_is_called_from_an_address_that_it_can_answer() -> None:
    """An address of the loopback leads nowhere from another machine."""
    assert source_address(SETTINGS) == ("127.0.0.80", 0)
    elsewhere = SETTINGS.model_copy(update={"function_url_emit": "http://192.0.2.1:8001"})
    assert source_address(elsewhere) is None


def test_a_function_starts_with_what_was_deployed_for_it(tmp_path: Path) -> None:
    """Read when it starts, not when the pipeline did; another function has nothing of it."""
    services = {service.name: service for service in functions(SETTINGS, Layout(state=tmp_path))}
    Deployments(Layout(state=tmp_path)).write("emit", Deployment(applied={"LOG_LEVEL": "debug"}))
    assert services["emit"].deployed_env() == {"LOG_LEVEL": "debug"}
    assert services["auth"].deployed_env() == {}


def test_deployments_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    """The message says what to do, before anything was started."""
    (tmp_path / "deployments.json").write_text("{")
    with pytest.raises(Unusable, match=r"deployments\.json cannot be understood; remove it"):
        functions(SETTINGS, Layout(state=tmp_path))
