"""What a TLS certificate says about itself."""

from datetime import datetime
from pathlib import Path

from cryptography import x509

from signal_pipeline.errors import ConfigurationError

__all__ = ["certificate_expiry"]


def certificate_expiry(file: str) -> datetime:
    """Return the end of the validity of the first certificate of a PEM file, which is the server's own.

    Raises:
        ConfigurationError: the file cannot be read, or holds no certificate.
    """
    try:
        return x509.load_pem_x509_certificate(Path(file).read_bytes()).not_valid_after_utc
    except OSError as exc:
        raise ConfigurationError(f"TLS_CERT_FILE cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigurationError("TLS_CERT_FILE holds no certificate in PEM") from exc
