"""What each part of a secured run is told: its own credentials, and of no secret that it has no use for.

A variable that a part must have but not know, because settings demand one, is another random text for that part.
"""

import secrets as random_secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from signal_pipeline.broker.access import ADMINISTRATOR, CONNECT, USERS
from signal_pipeline.broker.access import OPERATOR as KAFKA_OPERATOR
from signal_pipeline.secured_state import OPERATOR
from signal_pipeline.settings import Settings
from signal_pipeline.store.logins import DEBEZIUM, LOGINS
from signal_pipeline.topology import ROLES

__all__ = ["OWNER", "SHARED_SECRETS", "Secrets", "part_names", "part_variables", "random_secret"]

OWNER: Final = "postgres"  # owns the database: migrations alone are it
GATEWAY: Final = "gateway"
_FUNCTIONS: Final = frozenset(role.name for role in ROLES)
_TRIGGERS: Final = frozenset(f"{role.name}-trigger" for role in ROLES if role.trigger_port)
# Who else than the functions knows a secret, and which functions do not.
SHARED_SECRETS: Final[Mapping[str, frozenset[str]]] = {
    "JWT_SECRET_KEY": _FUNCTIONS | {OPERATOR},
    "REDIS_PASSWORD": _FUNCTIONS | {OPERATOR},
    "EMIT_API_KEY": frozenset({"emit", "auth", "emit-trigger", OPERATOR}),
    "SERVICE_API_KEY": _FUNCTIONS | _TRIGGERS | {OPERATOR},
    "AUTH_ADMIN_PASSWORD": frozenset({"auth", OPERATOR}),
    "GATEWAY_PASSWORD": frozenset({GATEWAY, OPERATOR}),
}
# Part to database login; the others reach no database.
_LOGIN_OF: Final[Mapping[str, str]] = {
    **{login.part: login.name for login in LOGINS if login.name != DEBEZIUM},
    "migrate": OWNER,
    "outbox": OWNER,  # dropping a lost slot is the owner's
}
# Part to Kafka user; the others reach no broker.
_USER_OF: Final[Mapping[str, str]] = {
    **{user.name: user.name for user in USERS if user.name not in {CONNECT, KAFKA_OPERATOR}},
    "topics": ADMINISTRATOR,
    "outbox": KAFKA_OPERATOR,
    OPERATOR: KAFKA_OPERATOR,
}
_APPLIES_CONNECTOR: Final = frozenset({"connector", "outbox", OPERATOR})


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """All secrets of a run.

    Attributes:
        shared: Values of `SHARED_SECRETS`, by variable.
        database: Passwords of database logins, the owner's with them.
        kafka: Passwords of Kafka users, the administrator's with them.
        keystore: Protects the key stores that only Java reads.
    """

    shared: dict[str, str] = field(repr=False)
    database: dict[str, str] = field(repr=False)
    kafka: dict[str, str] = field(repr=False)
    keystore: str = field(repr=False)


def random_secret() -> str:
    """Return 256 random bits as text that needs no quoting anywhere."""
    return random_secrets.token_urlsafe(32)


def part_names() -> list[str]:
    """Return the parts that have a file of their own."""
    return sorted({GATEWAY, *_FUNCTIONS, *_TRIGGERS, *_LOGIN_OF, *_USER_OF, *_APPLIES_CONNECTOR})


def part_variables(part: str, secrets: Secrets, settings: Settings, folder: Path) -> dict[str, str]:
    """Return the settings of a part.

    Args:
        part: One of `part_names`.
        secrets: Of which it gets its share.
        settings: The ports.
        folder: Where the certificates are.
    """
    pair = "server" if part in {GATEWAY, *_FUNCTIONS} else "client"
    return {
        "SECURITY": "on",
        "TLS_CA_FILE": str(folder / "ca.pem"),
        "TLS_CERT_FILE": str(folder / f"{pair}.pem"),
        "TLS_KEY_FILE": str(folder / f"{pair}-key.pem"),
        "REDIS_URL": f"rediss://127.0.0.1:{settings.redis_port}/0",
        "CONNECT_URL": f"https://127.0.0.1:{settings.connect_port}",
        "DATABASE_URL": _database_url(part, secrets, settings),
        **_kafka(part, secrets),
        **_files(part, folder),
        **{name: value if part in SHARED_SECRETS[name] else random_secret() for name, value in secrets.shared.items()},
    }


def _database_url(part: str, secrets: Secrets, settings: Settings) -> str:
    login = _LOGIN_OF.get(part)
    user = f"{login}:{secrets.database[login]}@" if login else ""
    # The authority is that of TLS_CA_FILE.
    return f"postgresql://{user}127.0.0.1:{settings.postgres_port}/eventpipeline?sslmode=verify-full"


def _kafka(part: str, secrets: Secrets) -> dict[str, str]:
    user = _USER_OF.get(part)
    if user is None:
        return {}
    return {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_USERNAME": user, "KAFKA_PASSWORD": secrets.kafka[user]}


def _files(part: str, folder: Path) -> dict[str, str]:
    files = {"migrate": ("DATABASE_LOGINS_FILE", "logins"), "topics": ("KAFKA_USERS_FILE", "users")}
    found = dict([(files[part][0], str(folder / files[part][1]))] if part in files else [])
    if part in _APPLIES_CONNECTOR:
        found["CONNECTOR_SECRETS_FILE"] = str(folder / "connector.properties")
    return found
