"""The development authority: good files stay, what ends soon is renewed, keys are their owner's only."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.security.authority import Authority, write_private

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HOSTS = ("localhost", "127.0.0.1")


def certificate(file: Path) -> x509.Certificate:
    """Read a certificate."""
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_a_certificate_is_of_the_authority_and_for_its_hosts(tmp_path: Path) -> None:
    """Names and addresses stand in the certificate, which cannot sign others."""
    authority = Authority(tmp_path / "secure", now=NOW)
    assert authority.issue("server", HOSTS)
    made = certificate(tmp_path / "secure" / "server.pem")
    made.verify_directly_issued_by(certificate(authority.file))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == list(HOSTS)
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    """Neither group nor others may read a key, or enter the folder."""
    Authority(tmp_path / "secure", now=NOW).issue("server", HOSTS)
    for file in ("ca-key.pem", "server-key.pem", "."):
        assert (tmp_path / "secure" / file).stat().st_mode & 0o077 == 0, file


def test_what_is_good_stays(tmp_path: Path) -> None:
    """A second run changes no file; whoever trusts the authority goes on to."""
    Authority(tmp_path, now=NOW).issue("server", HOSTS)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert not Authority(tmp_path, now=NOW + timedelta(days=366)).issue("server", HOSTS)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_ends_within_a_month_is_renewed(tmp_path: Path) -> None:
    """A certificate is valid for 397 days: after 368 it has 29 left, and a new one is made by the same authority."""
    authority = Authority(tmp_path, now=NOW)
    authority.issue("server", HOSTS)
    trusted = authority.file.read_bytes()
    assert Authority(tmp_path, now=NOW + timedelta(days=368)).issue("server", HOSTS)
    assert authority.file.read_bytes() == trusted
    left = certificate(tmp_path / "server.pem").not_valid_after_utc - (NOW + timedelta(days=368))
    assert left == timedelta(days=397)


def test_another_host_or_another_authority_makes_a_new_one(tmp_path: Path) -> None:
    """A certificate that names other hosts, or that nobody trusts any more, is of no use."""
    Authority(tmp_path, now=NOW).issue("server", HOSTS)
    assert Authority(tmp_path, now=NOW).issue("server", (*HOSTS, "pipeline.example"))
    for file in ("ca.pem", "ca-key.pem"):
        (tmp_path / file).unlink()
    assert Authority(tmp_path, now=NOW).issue("server", (*HOSTS, "pipeline.example"))


@pytest.mark.parametrize("damage", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None])
def test_damaged_files_are_named_and_never_replaced(tmp_path: Path, damage: str | None) -> None:
    """Half a pair, or one that cannot be read, may be what others trust: a person decides."""
    Authority(tmp_path, now=NOW)
    file = tmp_path / "ca.pem"
    if damage is None:
        file.unlink()
    else:
        file.write_text(damage)
    with pytest.raises(ConfigurationError, match=r"ca\.pem and ca-key\.pem cannot be read"):
        Authority(tmp_path, now=NOW)


def test_a_key_of_another_pair_is_refused(tmp_path: Path) -> None:
    """A certificate beside a stranger's key would fail at the first connection and not say why."""
    Authority(tmp_path / "one", now=NOW)
    Authority(tmp_path / "two", now=NOW)
    (tmp_path / "one" / "ca-key.pem").write_bytes((tmp_path / "two" / "ca-key.pem").read_bytes())
    with pytest.raises(ConfigurationError, match="do not belong together"):
        Authority(tmp_path / "one", now=NOW)


def test_a_private_file_replaces_an_open_one(tmp_path: Path) -> None:
    """A file that everybody could read is for its owner only once a secret is written to it."""
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]
