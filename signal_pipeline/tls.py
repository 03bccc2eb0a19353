"""Whom our HTTP clients trust, and by what they are known."""

import ssl

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings

__all__ = ["client_context"]


def client_context(settings: Settings) -> ssl.SSLContext:
    """Return what a client checks servers with: `TLS_CA_FILE` alone, or without it the system's authorities.

    A client with a certificate of its own shows it to servers that ask for one.

    Raises:
        ConfigurationError: a file cannot be read or holds no certificate; the message names the variable.
    """
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca_file or None)
    except OSError as exc:
        raise ConfigurationError(f"TLS_CA_FILE cannot be read: {exc.strerror or 'no certificate in PEM'}") from exc
    if settings.tls_cert_file:
        try:
            context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
        except OSError as exc:
            reason = exc.strerror or "no certificate and key in PEM that belong together"
            raise ConfigurationError(f"TLS_CERT_FILE and TLS_KEY_FILE cannot be read: {reason}") from exc
    return context
