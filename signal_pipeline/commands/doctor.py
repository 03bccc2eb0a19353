"""`doctor`: looks at everything that must be right, and says of each thing that is not which command repairs it."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from rich.markup import escape
from rich.table import Table

from signal_pipeline.commands.doctor_database import DATABASE_CHECKS
from signal_pipeline.commands.doctor_findings import Finding, Level, examine, worst
from signal_pipeline.commands.doctor_kafka import KAFKA_CHECKS
from signal_pipeline.commands.doctor_parts import PART_CHECKS
from signal_pipeline.commands.screen import OUT
from signal_pipeline.settings import Settings

__all__ = ["CHECKS", "run_doctor"]

CHECKS: Final = (*PART_CHECKS, *KAFKA_CHECKS, *DATABASE_CHECKS)
_SECONDS: Final = 12.0  # longer than every timeout of a check, and short enough to wait for
_STYLES: Final = {Level.OK: "green", Level.HINT: "cyan", Level.WARNING: "yellow", Level.FAULT: "red"}


def run_doctor(settings: Settings, *, as_json: bool) -> bool:
    """Print what every check found; true unless one found a fault."""
    found = examine(CHECKS, settings, seconds=_SECONDS)
    if as_json:
        print(json.dumps(_document(found)))  # noqa: T201 - the answer of a command
    else:
        _show(found)
    return _worst(found) is not Level.FAULT


def _worst(found: Mapping[str, Sequence[Finding]]) -> Level:
    return worst([finding for findings in found.values() for finding in findings])


def _document(found: Mapping[str, Sequence[Finding]]) -> dict[str, object]:
    checks = [
        {"check": name, "level": each.level.value, "finding": each.what, "fix": each.fix}
        for name, findings in found.items()
        for each in findings
    ]
    return {"level": _worst(found).value, "checks": checks}


def _show(found: Mapping[str, Sequence[Finding]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("check", "state", "finding"):
        table.add_column(title, overflow="fold")
    for name, findings in found.items():
        for each in findings:
            table.add_row(name, f"[{_STYLES[each.level]}]{each.level}[/]", escape(each.what))
    OUT.print(table)
    fixes = _fixes(found)
    if fixes:  # below the table, where nothing folds a command that is to be copied
        OUT.print("\nwhat to do, the most urgent first:")
        for fix, names in fixes.items():
            OUT.print(f"  {fix}  # {', '.join(names)}", markup=False)


def _fixes(found: Mapping[str, Sequence[Finding]]) -> dict[str, list[str]]:
    """Return each command once, with the names of the checks that it repairs, those of faults first."""
    fixes: dict[str, list[str]] = {}
    for level in reversed(tuple(Level)):
        for name, findings in found.items():
            for each in findings:
                if each.level is level and each.fix and name not in fixes.setdefault(each.fix, []):
                    fixes[each.fix].append(name)
    return fixes
