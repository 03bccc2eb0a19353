"""Makes database logins and Kafka users from files of passwords, and tells which."""

from signal_pipeline.broker.access import apply_users
from signal_pipeline.broker.admin import wait_for_broker
from signal_pipeline.commands.screen import OUT
from signal_pipeline.passwords_file import read_passwords
from signal_pipeline.settings import Settings
from signal_pipeline.store.logins import apply_logins

__all__ = ["make_logins", "make_users"]

_BROKER_SECONDS = 30.0


def make_logins(database_url: str, file: str) -> None:
    """Make the logins of a file; `PipelineError` when it, or PostgreSQL, does not allow it."""
    changes = apply_logins(database_url, read_passwords(file, "DATABASE_LOGINS_FILE"))
    OUT.print(f"logins are up to date: {', '.join(changes.applied)}")
    if changes.left_out:
        OUT.print(f"left out, because this schema has no role for them: {', '.join(changes.left_out)}")


def make_users(settings: Settings) -> None:
    """Make the users of KAFKA_USERS_FILE; `PipelineError` when it, or the broker, does not allow it."""
    passwords = read_passwords(settings.kafka_users_file, "KAFKA_USERS_FILE")
    users = apply_users(wait_for_broker(settings, timeout_seconds=_BROKER_SECONDS), passwords)
    OUT.print(f"users are up to date: {', '.join(users)}")
