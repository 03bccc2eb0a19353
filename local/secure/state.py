"""Makes a pipeline secured, and keeps it so: everything below STATE_DIR/secure, which `clean` removes.

up --secure ──nothing there yet──▶ authority, certificates, secrets ──▶ one env file for each part
     │  └─ data of an open pipeline is there: refused
up ──▶ secured before: renew what ends soon, write the files again for the present ports
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from local.layout import Layout
from local.secure.parts import OWNER, SHARED_SECRETS, Secrets, part_names, part_variables, random_secret
from local.service import Unusable
from signal_pipeline.broker.access import ADMINISTRATOR, USERS
from signal_pipeline.commands.certificates import THIS_MACHINE
from signal_pipeline.secured_state import OPERATOR, PART, secured_folder
from signal_pipeline.security.authority import Authority, write_private
from signal_pipeline.settings import Settings
from signal_pipeline.store.logins import DEBEZIUM, LOGINS

__all__ = ["is_secured", "read_secrets", "secure", "settings_of"]

_SECRETS: Final = "secrets.json"
# Beside the certificates of `certificates`: the broker's, which as controller it shows to itself.
_CERTIFICATES: Final[Mapping[str, tuple[str, ...]]] = {"server": THIS_MACHINE, "kafka": THIS_MACHINE, "client": ()}
# What must come from here: an address of the open pipeline in .env would lead every part astray.
_OWN: Final = ("DATABASE_URL", "REDIS_URL", "CONNECT_URL", "KAFKA_SECURITY_PROTOCOL", "KAFKA_USERNAME", "TLS_CA_FILE")


def is_secured(layout: Layout) -> bool:
    """Tell whether the pipeline of this state folder is secured."""
    return (secured_folder(layout.state) / _SECRETS).exists()


def secure(settings: Settings, layout: Layout) -> None:
    """Bring all files of a secured pipeline into being.

    Raises:
        Unusable: it has data that an open pipeline made, or the environment gives it other addresses.
        ConfigurationError: a certificate that is there is damaged.
    """
    folder = secured_folder(layout.state)
    is_new = not is_secured(layout)
    if is_new and layout.data.exists() and any(layout.data.iterdir()):
        raise Unusable(f"{layout.data} has data of a pipeline without SECURE; make clean first, or another STATE_DIR")
    authority = Authority(folder)
    for name, hosts in _CERTIFICATES.items():
        authority.issue(name, hosts)
    secrets = _completed(folder)
    _write_stores(folder, secrets)
    _write_passwords(folder, secrets)
    for part in part_names():
        variables = part_variables(part, secrets, settings, folder)
        _write(folder / f"{part}.env", "".join(f"{name}={value}\n" for name, value in variables.items()))
    try:
        _refuse_other_addresses(layout, part_variables(OPERATOR, secrets, settings, folder))
    except Unusable:
        if is_new:  # refused means unchanged: the next plain `up` is an open one
            shutil.rmtree(folder)
        raise


def read_secrets(layout: Layout) -> Secrets:
    """Return the secrets of a secured pipeline; `OSError` where it is not secured."""
    return Secrets(**json.loads((secured_folder(layout.state) / _SECRETS).read_text()))


def settings_of(part: str, settings: Settings, layout: Layout) -> Settings:
    """Return the settings that a part of this pipeline has: these, where it is not secured."""
    if not is_secured(layout):
        return settings
    before = PART.set(part)
    try:
        return Settings(state_dir=layout.state)
    finally:
        PART.reset(before)


def _completed(folder: Path) -> Secrets:
    """Return all secrets, those that are there as they are: a table that grew gets what is new."""
    known: dict[str, dict[str, str]] = {}
    with suppress(FileNotFoundError):
        known = json.loads((folder / _SECRETS).read_text())
    names = {
        "shared": [*SHARED_SECRETS],
        "database": [OWNER, *(login.name for login in LOGINS)],
        "kafka": [ADMINISTRATOR, *(user.name for user in USERS)],
    }
    found = {kind: {name: known.get(kind, {}).get(name) or random_secret() for name in names[kind]} for kind in names}
    keystore = str(known.get("keystore") or random_secret())
    _write(folder / _SECRETS, json.dumps({**found, "keystore": keystore}, indent=1))
    return Secrets(**found, keystore=keystore)


def _write_passwords(folder: Path, secrets: Secrets) -> None:
    logins = {name: password for name, password in secrets.database.items() if name != OWNER}
    users = {name: password for name, password in secrets.kafka.items() if name != ADMINISTRATOR}
    for file, passwords in (("logins", logins), ("users", users)):
        _write(folder / file, "".join(f"{name}={password}\n" for name, password in passwords.items()))
    password = secrets.database[DEBEZIUM]
    _write(folder / "connector.properties", f"user={DEBEZIUM}\npassword={password}\n")


def _write_stores(folder: Path, secrets: Secrets) -> None:
    """Write what Java reads: the broker's key and certificate in one file, and Connect's, whose server knows no PEM."""
    _write(folder / "kafka-store.pem", (folder / "kafka-key.pem").read_text() + (folder / "kafka.pem").read_text())
    protection = serialization.BestAvailableEncryption(secrets.keystore.encode())
    key = serialization.load_pem_private_key((folder / "server-key.pem").read_bytes(), password=None)
    own, authority = (
        x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()) for name in ("server", "ca")
    )
    # The kinds that PKCS #12 holds; ours are all elliptic.
    store = pkcs12.serialize_key_and_certificates(b"server", key, own, [authority], protection)  # type: ignore[arg-type]
    write_private(folder / "connect.p12", store)
    trusted = pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(authority, b"ca")], protection)
    write_private(folder / "trust.p12", trusted)


def _refuse_other_addresses(layout: Layout, variables: Mapping[str, str]) -> None:
    settings = settings_of(OPERATOR, Settings.model_construct(), layout)
    told = {name: getattr(settings, name.lower()) for name in _OWN}
    told["DATABASE_URL"] = settings.database_url.get_secret_value().partition("&sslrootcert")[0]
    if others := [name for name in _OWN if str(told[name]) != variables[name]]:
        raise Unusable(f"SECURE sets {', '.join(others)} itself; remove it from the environment and from .env")


def _write(file: Path, text: str) -> None:
    write_private(file, text.encode())
