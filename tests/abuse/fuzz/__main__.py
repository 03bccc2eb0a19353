"""`make fuzz`: N requests of a seed that is printed, so that a fault can be made again."""

import argparse
import secrets
import sys

from signal_pipeline.observability.logs import configure_logs
from tests.abuse.fuzz.run import fuzz


def main() -> int:
    """Run; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Sends mutated requests to every role and audits what came of them.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--first", type=int, default=0, help="number of the first request, to repeat one")
    parser.add_argument("--seconds", type=float, default=900.0, help="longest time")
    given = parser.parse_args()
    configure_logs(role="fuzz", level="error")
    print(f"seed {given.seed}", flush=True)  # noqa: T201 - the command's output
    report = fuzz(given.seed, range(given.first, given.first + given.requests), seconds=given.seconds)
    for fault in report.faults[:20]:
        print(fault)  # noqa: T201
    print(report)  # noqa: T201
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
