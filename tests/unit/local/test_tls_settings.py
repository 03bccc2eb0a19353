"""With a certificate the functions are addressed by https, everywhere."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from local.components.table import all_services
from local.layout import Layout
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

_SECURE = Settings(_env_file=None, tls_cert_file="cert.pem", tls_key_file="key.pem")


@pytest.mark.parametrize(("certificate", "key"), [("cert.pem", ""), ("", "key.pem")], ids=["no key", "no certificate"])
def test_half_a_certificate_is_refused(certificate: str, key: str) -> None:
    """One file without the other would silently serve plain HTTP, or not at all."""
    with pytest.raises(ValidationError, match="TLS_CERT_FILE and TLS_KEY_FILE belong together"):
        Settings(_env_file=None, tls_cert_file=certificate, tls_key_file=key)


def test_triggers_and_commands_call_by_https() -> None:
    """The address that triggers and commands take for each function follows; without a certificate it is http."""
    for role in ROLES:
        assert _SECURE.function_url(role.name) == f"https://127.0.0.1:{role.port}"
        assert Settings(_env_file=None).function_url(role.name) == f"http://127.0.0.1:{role.port}"


def test_the_local_run_shows_and_probes_it(tmp_path: Path) -> None:
    """The table of what runs shows https for functions, and http for what has no certificate."""
    urls = {service.name: service.url for service in all_services(_SECURE, Layout(state=tmp_path))}
    assert urls["emit"] == "https://127.0.0.1:8001"
    assert urls["prometheus"] == "http://127.0.0.1:9090"
