"""A certificate authority of one's own, for development and for machines that only talk to each other.

ca.pem is what clients trust; each certificate lies beside its key, <name>.pem and <name>-key.pem. Keys are readable by
their owner only, in PKCS #8, which Java reads too. Everything good is left as it is: a second run changes nothing.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signal_pipeline.errors import ConfigurationError

__all__ = ["Authority", "write_private"]

_CA_VALID: Final = timedelta(days=3650)
_CERTIFICATE_VALID: Final = timedelta(days=397)  # the longest that browsers take
_RENEW_BEFORE: Final = timedelta(days=30)  # above the 14 days at which the alert fires
_CLOCKS_APART: Final = timedelta(minutes=5)
_USAGE_OF_CA: Final = {"key_cert_sign", "crl_sign"}
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class Authority:
    """The authority of a folder, made at first use.

    Args:
        folder: Where its files are; created when missing, for its owner only.
        now: The present time, with zone.

    Raises:
        ConfigurationError: the authority's files cannot be read, or do not belong together.
    """

    def __init__(self, folder: Path, *, now: datetime | None = None) -> None:
        self._folder = folder
        self._now = now or datetime.now(UTC)
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        found = self._read("ca")
        self._key, self._certificate = found if found and self._is_good(found[1]) else self._make()

    @property
    def file(self) -> Path:
        """The authority's own certificate: what clients trust."""
        return self._folder / "ca.pem"

    def issue(self, name: str, hosts: Sequence[str]) -> bool:
        """Bring a certificate and its key into being; false when what is there is still good.

        Args:
            name: Name of the files and common name of the certificate.
            hosts: DNS names and IP addresses of the server; a client needs none.

        Raises:
            ConfigurationError: the files that are there cannot be read.
        """
        alternatives = [_alternative(host) for host in hosts]
        found = self._read(name)
        if found and self._is_ours(found[1]) and self._is_good(found[1]) and _names(found[1]) == alternatives:
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(name, key, _CERTIFICATE_VALID, authority=False).add_extension(usage, critical=False)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = builder.add_extension(issuer, critical=False).issuer_name(self._certificate.subject)
        self._write(name, key, certificate.sign(self._key, hashes.SHA256()))
        return True

    def _make(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = "Signal Pipeline development authority"
        builder = self._builder(name, key, _CA_VALID, authority=True)
        certificate = builder.issuer_name(_subject(name)).sign(key, hashes.SHA256())
        self._write("ca", key, certificate)
        return key, certificate

    def _builder(
        self, name: str, key: ec.EllipticCurvePrivateKey, valid: timedelta, *, authority: bool
    ) -> x509.CertificateBuilder:
        """Return what a certificate of the authority and of others have in common; the issuer is not in it yet."""
        allowed = _USAGE_OF_CA if authority else {"digital_signature"}
        usage = x509.KeyUsage(**{each: each in allowed for each in _USAGES})
        constraints = x509.BasicConstraints(ca=authority, path_length=0 if authority else None)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_subject(name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _CLOCKS_APART)
            .not_valid_after(self._now + valid)
            .add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(identifier, critical=False)
        )

    def _is_good(self, certificate: x509.Certificate) -> bool:
        return certificate.not_valid_after_utc - self._now > _RENEW_BEFORE

    def _is_ours(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except Exception:  # noqa: BLE001 - a stranger's may fail in any way: another subject, curve or signature
            return False
        return True

    def _read(self, name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}-key.pem"
        if not certificate.exists() and not key.exists():
            return None
        try:
            private = serialization.load_pem_private_key(key.read_bytes(), password=None)
            public = x509.load_pem_x509_certificate(certificate.read_bytes())
        except (OSError, ValueError, TypeError) as exc:
            raise ConfigurationError(f"{certificate} and {key.name} cannot be read; remove both for new ones") from exc
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != public.public_key():
            raise ConfigurationError(f"{certificate} and {key.name} do not belong together; remove both for new ones")
        return private, public

    def _write(self, name: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        # Without the certificate the pair counts as damaged and is told: no half of two pairs is ever served.
        (self._folder / f"{name}.pem").unlink(missing_ok=True)
        write_private(self._folder / f"{name}-key.pem", private)
        (self._folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may ever read, in one step: a reader sees the old content or the new one."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
    partial.replace(file)


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(found.value)
