"""The command line of the checker: prints the table of invariants, exits 1 when one is broken."""

import argparse
import os
import sys
from pathlib import Path

from tests.checker.check import check, check_until_sound
from tests.checker.ledger import load_ledger
from tests.checker.report import Report


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.checker", description=__doc__)
    parser.add_argument(
        "--database-url",
        default=os.environ.get("DATABASE_URL", "postgresql://postgres:postgres@127.0.0.1:5432/eventpipeline"),
    )
    parser.add_argument(
        "--bootstrap-servers",
        default=os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        help="empty judges the tables alone",
    )
    parser.add_argument("--ledger", type=Path, help="what was sent; without it all rows are judged by themselves")
    parser.add_argument("--stamped", action="store_true", help="every outbox row must be stamped as published")
    parser.add_argument("--recorded", action="store_true", help="every dead letter must be in table dead_letters")
    parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="check again until sound")
    return parser.parse_args()


def main() -> int:
    """Run the check that the command line asks for."""
    arguments = _arguments()
    sent = load_ledger(arguments.ledger) if arguments.ledger else ()

    def read() -> Report:
        return check(
            arguments.database_url,
            arguments.bootstrap_servers or None,
            sent,
            stamped=arguments.stamped,
            recorded=arguments.recorded,
        )

    report = check_until_sound(read, seconds=arguments.wait)
    sys.stdout.write(f"{report}\n")
    return 0 if report.sound else 1


if __name__ == "__main__":
    sys.exit(main())
