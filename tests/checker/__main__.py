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


def _client(servers: str) -> dict[str, str]:
    """Return the settings of a client; its credentials come from the environment, which no process list shows."""
    settings = {
        "security.protocol": os.environ.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"),
        "sasl.mechanism": os.environ.get("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        "sasl.username": os.environ.get("KAFKA_USERNAME", ""),
        "sasl.password": os.environ.get("KAFKA_PASSWORD", ""),
        "ssl.ca.location": os.environ.get("TLS_CA_FILE", ""),
    }
    if settings["security.protocol"] == "PLAINTEXT":
        return {"bootstrap.servers": servers}
    return {"bootstrap.servers": servers, **{name: value for name, value in settings.items() if value}}


def main() -> int:
    """Run the check that the command line asks for."""
    arguments = _arguments()
    sent = load_ledger(arguments.ledger) if arguments.ledger else ()

    def read() -> Report:
        return check(
            arguments.database_url,
            _client(arguments.bootstrap_servers) if arguments.bootstrap_servers else None,
            sent,
            stamped=arguments.stamped,
            recorded=arguments.recorded,
        )

    report = check_until_sound(read, seconds=arguments.wait)
    sys.stdout.write(f"{report}\n")
    return 0 if report.sound else 1


if __name__ == "__main__":
    sys.exit(main())
