"""The named statements: each file says its name and its purpose, and each is used."""

import re
from pathlib import Path

import pytest

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.store.queries import SQL_DIRECTORY, load_queries, query

ROOT = SQL_DIRECTORY.parent


def test_a_query_has_the_name_of_its_file(tmp_path: Path) -> None:
    """A statement is found by its name, with its purpose and without its two header lines."""
    (tmp_path / "one.sql").write_text("-- name: one\n-- purpose: Answer.\nSELECT\n    1\n")
    found = load_queries(tmp_path)["one"]
    assert (found.name, found.purpose, found.sql) == ("one", "Answer.", "SELECT\n    1")


@pytest.mark.parametrize(
    "text", ["SELECT 1", "-- name: other\n-- purpose: p\nSELECT 1", "-- name: one\nSELECT 1\n", "-- name: one\n", ""]
)
def test_a_file_without_its_header_is_named(tmp_path: Path, text: str) -> None:
    """A file that does not begin with its own name and a purpose stops the start, by name."""
    (tmp_path / "one.sql").write_text(text)
    with pytest.raises(ConfigurationError, match=r"one\.sql"):
        load_queries(tmp_path)


def test_an_unknown_name_is_an_error() -> None:
    """A name without a file is a LookupError that names it."""
    with pytest.raises(LookupError, match="no_such_query"):
        query("no_such_query")


def test_every_query_is_named_by_code_or_by_the_index_corpus() -> None:
    """No statement is left that nothing names."""
    code = [*ROOT.glob("signal_pipeline/**/*.py"), ROOT / "tests/integration/store/test_indexes.py"]
    text = "\n".join(path.read_text() for path in code)
    unused = [name for name in load_queries(SQL_DIRECTORY / "queries") if f'"{name}"' not in text]
    assert unused == []


def test_the_store_names_only_queries_that_exist() -> None:
    """Every name that the code asks for is a file."""
    code = "\n".join(path.read_text() for path in ROOT.glob("signal_pipeline/**/*.py"))
    asked = set(re.findall(r'\bquery\("(\w+)"\)', code))
    assert asked
    assert asked <= set(load_queries(SQL_DIRECTORY / "queries"))
