"""Puts in each bug in turn and prints which test caught it; exits 1 when one survives, or a run proves nothing."""

import sys

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
        # A test that fails without the bug would seem to catch it.
        sound = run_tests(tree, tests)
        if sound.failed or sound.broken:
            return _say(f"without any bug these tests fail: {', '.join(sound.failed)} {sound.broken}", 1)
        _say(f"{sound.passed} tests pass without any bug ({sound.seconds:.0f} s)\n")
        _say(f"{'mutant':36} {'caught by':76} {'seconds':>7}")
        caught = 0
        for mutant in wanted:
            with applied(tree, mutant):
                outcome = run_tests(tree, mutant.tests)
            caught += _is_caught(outcome)
            _say(_row(mutant, outcome))
    return _say(f"\n{caught} of {len(wanted)} caught", int(caught < len(wanted)))


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
