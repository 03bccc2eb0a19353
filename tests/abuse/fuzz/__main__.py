"""`make fuzz`: requests of a seed that is printed, so that a fault can be made again.

N mutated requests, half of them with SECURITY=on, then those that schemathesis derives from the documents.
"""

import argparse
import secrets
import sys
from collections.abc import Iterator

from signal_pipeline.observability.logs import configure_logs
from tests.abuse.fuzz.documents import compare
from tests.abuse.fuzz.run import Report, Security, fuzz


def main() -> int:
    """Run; 1 when something was found."""
    parser = argparse.ArgumentParser(description="Sends mutated requests to every role and audits what came of them.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--first", type=int, default=0, help="number of the first request, to repeat one")
    parser.add_argument("--examples", type=int, default=40, help="of schemathesis, for each operation")
    parser.add_argument("--security", choices=("on", "off"), help="only so; default: half of the requests each")
    parser.add_argument("--seconds", type=float, default=900.0, help="longest time of the mutated requests")
    given = parser.parse_args()
    configure_logs(role="fuzz", level="error")
    print(f"seed {given.seed}", flush=True)  # noqa: T201 - the command's output
    faulty = sum(_faulty(label, report) for label, report in _reports(given))  # all parts run, whatever is found
    return 1 if faulty else 0


def _reports(given: argparse.Namespace) -> Iterator[tuple[str, Report]]:
    """Run each part, and name it."""
    modes: tuple[Security, ...] = (given.security,) if given.security else ("off", "on")
    share = given.requests // len(modes)
    for index, security in enumerate(modes):
        first = given.first + index * share
        numbers = range(first, first + share)
        yield f"mutated, security {security}", fuzz(given.seed, numbers, seconds=given.seconds, security=security)
    for security in modes if given.examples else ():
        yield f"schemathesis, security {security}", compare(given.seed, given.examples, security=security)


def _faulty(label: str, report: Report) -> bool:
    for fault in report.faults[:20]:
        print(fault)  # noqa: T201
    print(f"{label}: {report}", flush=True)  # noqa: T201
    return bool(report.faults)


if __name__ == "__main__":
    sys.exit(main())
