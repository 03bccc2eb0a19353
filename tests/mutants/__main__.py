"""Puts in each bug in turn and prints which test caught it; exits 1 when one survives, or a run proves nothing."""

import sys
from pathlib import Path

from tests.mutants.mutant import Mutant, applied
from tests.mutants.run import Outcome, copy_of_the_tree, run_tests
from tests.mutants.table import MUTANTS


def main(names: list[str]) -> int:
    """Run the named mutants, or all; returns the exit code."""
    wanted = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    if unknown := set(names) - {mutant.name for mutant in wanted}:
        return _say(f"no mutant is named {', '.join(sorted(unknown))}", 2)
    tests = sorted({test for mutant in wanted for test in mutant.tests})
    with copy_of_the_tree() as tree:
        sound = run_tests(tree, tests)
        if sound.broken:
            return _say(f"without any bug these tests do not even run: {sound.broken}", 1)
        _say(f"{sound.passed} tests pass without any bug ({sound.seconds:.0f} s)\n")
        _say(f"{'mutant':36} {'caught by':76} {'seconds':>7}")
        caught = 0
        for mutant in wanted:
            outcome = _outcome(tree, mutant, sound)
            caught += _is_caught(outcome)
            _say(_row(mutant, outcome))
    return _say(f"\n{caught} of {len(wanted)} caught", int(caught < len(wanted)))


def _outcome(tree: Path, mutant: Mutant, sound: Outcome) -> Outcome:
    # A test that fails without the bug would seem to catch it.
    names = {test.rpartition("::")[2] for test in mutant.tests}
    if failing := [each for each in sound.failed if each.partition("[")[0] in names]:
        return Outcome(passed=0, failed=(), broken=f"without the bug, too, {failing[0]} fails", seconds=0)
    with applied(tree, mutant):
        return run_tests(tree, mutant.tests)


def _is_caught(outcome: Outcome) -> bool:
    return bool(outcome.failed) and not outcome.broken


def _row(mutant: Mutant, outcome: Outcome) -> str:
    more = f" and {len(outcome.failed) - 1} more" if len(outcome.failed) > 1 else ""
    verdict = f"{outcome.failed[0]}{more}" if outcome.failed else "SURVIVED"
    if outcome.broken:
        verdict = f"PROVES NOTHING: {outcome.broken}"
    return f"{mutant.name:36} {verdict:76} {outcome.seconds:7.1f}"


def _say(line: str, code: int = 0) -> int:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
