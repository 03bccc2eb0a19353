"""One connection to PostgreSQL for a command, and faults told as what to do next."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedFunction, UndefinedObject, UndefinedTable
from psycopg.rows import TupleRow, class_row, dict_row

from signal_pipeline.errors import ConfigurationError, DependencyUnavailable
from signal_pipeline.settings import Settings
from signal_pipeline.store.queries import query

__all__ = ["connected", "records_of", "rows_of"]

_CONNECT_SECONDS = 5

_Row = TypeVar("_Row")


@contextmanager
def connected(settings: Settings, *, name: str) -> Iterator[Connection[TupleRow]]:
    """Lend a connection in autocommit mode.

    Args:
        settings: Where the database is.
        name: The command, as pg_stat_activity shows it.

    Raises:
        DependencyUnavailable: PostgreSQL does not answer, or broke off.
        ConfigurationError: the database has no schema, or refuses the user.
    """
    url = settings.database_url.get_secret_value()
    try:
        with psycopg.connect(
            url, autocommit=True, connect_timeout=_CONNECT_SECONDS, application_name=f"signal-pipeline {name}"
        ) as connection:
            yield connection
    except (UndefinedTable, UndefinedFunction, UndefinedObject) as exc:
        raise ConfigurationError("the database has no schema of ours; apply it with: make up") from exc
    except InsufficientPrivilege as exc:
        raise ConfigurationError(f"the user of DATABASE_URL may not do this: {exc.diag.message_primary}") from exc
    except psycopg.OperationalError as exc:
        if exc.sqlstate is not None:
            raise ConfigurationError(f"PostgreSQL refuses: {exc.diag.message_primary or exc.sqlstate}") from exc
        raise DependencyUnavailable(
            f"PostgreSQL does not answer at {_address(url)}; start the pipeline with: make up"
        ) from exc


def rows_of(settings: Settings, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the rows of a named query as dictionaries; errors as `connected`."""
    with connected(settings, name=name) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query(name), parameters).fetchall()


def records_of(settings: Settings, name: LiteralString, kind: type[_Row]) -> list[_Row]:
    """Return the rows of a named query as records of a class; errors as `connected`."""
    with connected(settings, name=name) as connection, connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query(name)).fetchall()


def _address(database_url: str) -> str:
    url = urlsplit(database_url)
    return f"{url.hostname}:{url.port or 5432}"
