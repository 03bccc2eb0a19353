"""What the checker found: one line per invariant, and by name what is wrong."""

from dataclasses import dataclass

__all__ = ["Finding", "Line", "Report"]

_SHOWN = 20  # findings printed per invariant: enough to see the pattern


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One violation.

    Attributes:
        invariant: Its name in the specification, such as `I1`.
        subject: What is wrong: a row id, an offset, an attempt of the ledger.
        detail: How it is wrong.
    """

    invariant: str
    subject: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """One invariant's result.

    Attributes:
        invariant: Its name.
        title: What it says.
        checked: How many things it was checked on; 0 proves nothing.
        findings: What broke it.
    """

    invariant: str
    title: str
    checked: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a check."""

    lines: tuple[Line, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All violations."""
        return tuple(finding for line in self.lines for finding in line.findings)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def checked(self, invariant: str) -> int:
        """Return on how many things an invariant was checked, so that a test can refuse a vacuous pass."""
        return sum(line.checked for line in self.lines if line.invariant == invariant)

    def __str__(self) -> str:
        rows = [f"{'':3} {'invariant':58} {'checked':>9} {'wrong':>7}"]
        rows += [f"{x.invariant:3} {x.title:58} {x.checked:9,} {len(x.findings):7,}" for x in self.lines]
        for line in self.lines:
            rows += [f"{each.invariant}: {each.subject}: {each.detail}" for each in line.findings[:_SHOWN]]
            if len(line.findings) > _SHOWN:
                rows.append(f"{line.invariant}: and {len(line.findings) - _SHOWN:,} more")
        return "\n".join(rows)
