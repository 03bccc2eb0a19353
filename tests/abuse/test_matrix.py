"""The matrix is whole: every row has tests, and these exist."""

import ast

import pytest

from tests.abuse.matrix import MATRIX
from tests.contract.conftest import ROOT


def test_the_matrix_has_49_rows() -> None:
    """Each row stands there, and has a test."""
    assert list(MATRIX) == list(range(1, 50))
    assert all(MATRIX.values())


@pytest.mark.parametrize("test", sorted({test for tests in MATRIX.values() for test in tests}))
def test_a_row_names_tests_that_exist(test: str) -> None:
    """A test that the matrix names is defined in that file."""
    path, _, name = test.partition("::")
    defined = ast.walk(ast.parse((ROOT / path).read_text()))
    assert name in {each.name for each in defined if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
