"""A function with a certificate serves HTTPS, says until when, and every caller that checks certificates accepts it."""

import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509

from signal_pipeline.commands.pages import read_pages
from signal_pipeline.errors import ConfigurationError
from signal_pipeline.security.certificates import certificate_expiry
from signal_pipeline.settings import Settings
from signal_pipeline.tls import client_context
from tests.contract.client import free_port
from tests.contract.conftest import NOWHERE, ROOT
from tests.support.metrics import metric, page
from tests.support.waiting import wait_for

_END = (datetime.now(UTC) + timedelta(days=5)).replace(microsecond=0)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom callers trust."""
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a function with a certificate for this machine that ends in five days."""
    folder = tmp_path_factory.mktemp("tls")
    issued = authority.issue_cert("127.0.0.1", not_after=_END)
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return {"TLS_CERT_FILE": str(folder / "cert.pem"), "TLS_KEY_FILE": str(folder / "key.pem")}


@pytest.fixture(scope="module")
def ports(files: dict[str, str]) -> Iterator[tuple[int, int]]:
    """The HTTPS port and the metrics port of auth."""
    with _served(files) as found:
        yield found


@contextmanager
def _served(files: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Serve auth by the product's own command, and lend its HTTPS port and its metrics port."""
    port, metrics_port = free_port(), free_port()
    variables = {name.upper(): value for name, value in NOWHERE.items()} | files
    variables |= {"AUTH_PORT": str(port), "AUTH_METRICS_PORT": str(metrics_port)}
    command = [sys.executable, "-m", "signal_pipeline", "serve", "auth"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdout=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: _listens(metrics_port), seconds=60, what="auth")
            yield port, metrics_port
        finally:
            process.terminate()
            process.wait(30)


def test_a_caller_that_trusts_the_authority_is_served(authority: trustme.CA, ports: tuple[int, int]) -> None:
    """With the authority in its trust store a client reaches the function at its usual port, over HTTPS."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with urllib.request.urlopen(f"https://127.0.0.1:{ports[0]}/health", context=context, timeout=10) as answer:
        assert answer.status == 200


def test_a_caller_that_does_not_trust_it_refuses(ports: tuple[int, int]) -> None:
    """Nothing weakens the check of certificates."""
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://127.0.0.1:{ports[0]}/health", timeout=10)


def test_plain_http_is_not_served(ports: tuple[int, int]) -> None:
    """With a certificate there is no way around it on the same port."""
    with pytest.raises(ConnectionError):  # cut off before a status line
        urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/health", timeout=10)


def test_the_trust_of_the_environment_is_the_callers(
    files: dict[str, str], ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard variable SSL_CERT_FILE tells the product's own callers, such as its triggers, whom to trust."""
    monkeypatch.setenv("SSL_CERT_FILE", str(Path(files["TLS_CERT_FILE"]).with_name("ca.pem")))
    code = (
        "import sys; from signal_pipeline.commands.pages import read_pages;"
        "from signal_pipeline.settings import Settings;"
        "print(read_pages(Settings(_env_file=None), {'auth': sys.argv[1]})['auth'].status)"
    )
    command = [sys.executable, "-c", code, f"https://127.0.0.1:{ports[0]}/health"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "200\n"


def test_only_callers_with_a_certificate_are_served(authority: trustme.CA, files: dict[str, str]) -> None:
    """With TLS_CLIENT_CA_FILE a caller without a certificate of that authority, or with a stranger's, gets no answer.

    The product's own callers show TLS_CERT_FILE, and are served.
    """
    trusted = str(Path(files["TLS_CERT_FILE"]).with_name("ca.pem"))
    with _served(files | {"TLS_CLIENT_CA_FILE": trusted}) as (port, _):
        url = f"https://127.0.0.1:{port}/health"
        for stranger in (None, trustme.CA().issue_cert("127.0.0.1")):
            context = ssl.create_default_context()
            authority.configure_trust(context)
            if stranger is not None:
                stranger.configure_cert(context)
            with pytest.raises(OSError):  # noqa: PT011 - told by the handshake, or by the first read after it
                urllib.request.urlopen(url, context=context, timeout=10)
        settings = Settings(_env_file=None, tls_ca_file=trusted, **{name.lower(): file for name, file in files.items()})  # type: ignore[arg-type]
        assert read_pages(settings, {"auth": url})["auth"].status == 200


def test_callers_trust_the_authority_alone(files: dict[str, str], ports: tuple[int, int], tmp_path: Path) -> None:
    """With TLS_CA_FILE the right authority is enough and another one is refused; a file that is none is named."""
    url = f"https://127.0.0.1:{ports[0]}/health"
    trusted = Path(files["TLS_CERT_FILE"]).with_name("ca.pem")
    assert read_pages(Settings(_env_file=None, tls_ca_file=str(trusted)), {"auth": url})["auth"].status == 200
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    other = Settings(_env_file=None, tls_ca_file=str(tmp_path / "other.pem"))
    assert read_pages(other, {"auth": url})["auth"].status is None
    with pytest.raises(ConfigurationError, match="TLS_CA_FILE cannot be read"):
        client_context(Settings(_env_file=None, tls_ca_file=str(tmp_path / "missing.pem")))


def test_the_metric_tells_the_end_of_the_certificate(ports: tuple[int, int]) -> None:
    """What alerts look at is the served certificate's own end of validity."""
    assert metric(page(ports[1]), "tls_certificate_expiry_timestamp_seconds") == _END.timestamp()


def test_of_a_chain_the_first_certificate_counts(authority: trustme.CA, tmp_path: Path) -> None:
    """A file with the issuer behind the server's own certificate gives the end of the server's own."""
    own = authority.issue_cert("127.0.0.1", not_after=_END).cert_chain_pems[0].bytes()
    issuer = authority.cert_pem.bytes()
    assert x509.load_pem_x509_certificate(issuer).not_valid_after_utc != _END
    (tmp_path / "chain.pem").write_bytes(own + issuer)
    assert certificate_expiry(str(tmp_path / "chain.pem")) == _END


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_named(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty or broken stops the start, and the message names the setting."""
    file = tmp_path / "cert.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="TLS_CERT_FILE"):
        certificate_expiry(str(file))


def _listens(port: int) -> bool:
    try:
        return bool(page(port))
    except OSError:
        return False
