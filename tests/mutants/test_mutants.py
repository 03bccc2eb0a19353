"""The seeded bugs still fit the code, name tests that exist, and a run is judged by what its report says."""

from pathlib import Path

import pytest

from tests.mutants.mutant import Edit, Mutant, applied, patched
from tests.mutants.run import ROOT, outcome_of
from tests.mutants.table import MUTANTS

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("name", BY_NAME)
def test_mutant_applies(name: str) -> None:
    """Each edit replaces a text that stands in its file exactly once; Python is still Python afterwards."""
    for edit in BY_NAME[name].edits:
        text = patched(ROOT, edit)
        if edit.path.endswith(".py"):
            compile(text, edit.path, "exec")


@pytest.mark.parametrize("name", BY_NAME)
def test_mutant_names_tests_that_exist(name: str) -> None:
    """Each id names a file, and a test function in it."""
    for test in BY_NAME[name].tests:
        path, _, function = test.partition("::")
        assert f"def {function}" in (ROOT / path).read_text(), test


def test_bug_is_taken_out_again(tmp_path: Path) -> None:
    """Within the block the file has the bug, two edits of one file both; after it, its old text."""
    (tmp_path / "a.py").write_text("one two")
    edits = (Edit(path="a.py", old="one", new="1"), Edit(path="a.py", old="two", new="2"))
    with applied(tmp_path, Mutant(name="m", bug="b", edits=edits, tests=())):
        assert (tmp_path / "a.py").read_text() == "1 2"
    assert (tmp_path / "a.py").read_text() == "one two"


@pytest.mark.parametrize("text", ["", "one one"])
def test_edit_that_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    """A text that is missing, or there twice, is an error: the bug would be none, or another one."""
    (tmp_path / "a.py").write_text(text)
    with pytest.raises(ValueError, match=r"a\.py holds"):
        patched(tmp_path, Edit(path="a.py", old="one", new="1"))


def test_failure_is_told_from_error() -> None:
    """A test that fails catches the bug; an error in a fixture or an import proves nothing, nor does silence."""
    good = '<testcase name="good"/>'
    bad = '<testcase name="bad"><failure message="m"/></testcase>'
    broken = '<testcase name="broken"><error message="import"/></testcase>'
    outcomes = [outcome_of(f"<testsuites><testsuite>{each}</testsuite></testsuites>", seconds=0)
                for each in (good + bad, good + broken, "")]  # fmt: skip
    assert [(each.passed, each.failed, each.broken) for each in outcomes] == [
        (1, ("bad",), ""),
        (1, (), "import"),
        (0, (), "no test ran"),
    ]
