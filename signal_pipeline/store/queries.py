"""The statements of `sql/queries`, by name. Python names them and never contains them.

A file holds one statement under two comment lines, `-- name:` (the file's own name) and `-- purpose:` (one line).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.resources import SQL

__all__ = ["SQL_DIRECTORY", "Query", "load_queries", "query"]

SQL_DIRECTORY = SQL

_NAME = "-- name: "
_PURPOSE = "-- purpose: "


@dataclass(frozen=True, kw_only=True)
class Query:
    """One named statement.

    Attributes:
        name: Its name, which is also the name of its file.
        purpose: What it is for, in one line.
        sql: The statement, with psycopg's named placeholders.
    """

    name: str
    purpose: str
    sql: str


def query(name: str) -> LiteralString:
    """Return the statement of that name; `LookupError` when there is none."""
    found = _queries().get(name)
    if found is None:
        raise LookupError(f"no query {name!r} in {SQL_DIRECTORY / 'queries'}")
    return found.sql  # from the repository and never from a caller, which is what LiteralString promises


def load_queries(directory: Path) -> dict[str, Query]:
    """Read the statements of a folder, by name; `ConfigurationError` names a file without its two lines."""
    return {path.stem: _parse(path) for path in sorted(directory.glob("*.sql"))}


@cache
def _queries() -> dict[str, Query]:
    return load_queries(SQL_DIRECTORY / "queries")


def _parse(path: Path) -> Query:
    lines = path.read_text().splitlines()
    if len(lines) < 3 or lines[0] != _NAME + path.stem or not lines[1].startswith(_PURPOSE):  # noqa: PLR2004
        raise ConfigurationError(f"{path} does not begin with '{_NAME}{path.stem}' and '{_PURPOSE}…'")
    return Query(name=path.stem, purpose=lines[1].removeprefix(_PURPOSE), sql="\n".join(lines[2:]))
