"""`certificates`: an authority, a server's certificate and a client's, in one folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from signal_pipeline.commands.screen import OUT
from signal_pipeline.security.authority import Authority

__all__ = ["THIS_MACHINE", "make_certificates"]

THIS_MACHINE: Final = ("localhost", "127.0.0.1", "::1")


def make_certificates(folder: Path, hosts: Sequence[str] | None) -> None:
    """Make what is missing, renew what ends within 30 days, and tell what to set.

    Raises:
        ConfigurationError: a file that is there is damaged.
        OSError: the folder cannot be written.
    """
    authority = Authority(folder)
    for name, names in (("server", tuple(hosts or THIS_MACHINE)), ("client", ())):
        made = authority.issue(name, names)
        OUT.print(f"{folder / name}.pem {'made' if made else 'is still good'}")
    OUT.print(f"\nfunctions: TLS_CERT_FILE={folder / 'server.pem'} TLS_KEY_FILE={folder / 'server-key.pem'}")
    OUT.print(f"their callers: TLS_CA_FILE={authority.file}")
