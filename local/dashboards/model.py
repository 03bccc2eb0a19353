"""What a dashboard is made of, without Grafana's spelling of it."""

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["NEVER", "UNKNOWN", "Dashboard", "Kind", "Panel", "Row", "States", "bars", "graph", "stat", "table"]

# What a panel says instead of a number. A gauge that nobody can know now is NaN, a role that is dead has no series:
# neither is 0. A latency without any call is NaN too, and that is no worry.
UNKNOWN = "unknown"
NEVER = "no calls"

States = dict[int, tuple[str, str]]


class Kind(StrEnum):
    """The panel types that are used."""

    GRAPH = "timeseries"
    STAT = "stat"
    BARS = "bargauge"
    TABLE = "table"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows, in a few words.
        about: What it shows and when to worry.
        kind: How.
        queries: Expression by legend; `{{label}}` in a legend is replaced.
        unit: Grafana's id of the unit.
        alarm: Name of the alert on what is shown: its threshold is drawn, its runbook is named.
        alarms_beside: Names of other alerts whose runbooks help here; they compare something else.
        states: Text and colour by value, for what is no quantity.
        absent: What to say where there is no number.
        leads_to: Name of the dashboard with the details.
        stacked: Whether the series are parts of a whole.
        columns: For a table: the labels shown, in this order, with their headings.
    """

    title: str
    about: str
    kind: Kind
    queries: dict[str, str]
    unit: str = "short"
    alarm: str | None = None
    alarms_beside: tuple[str, ...] = ()
    states: States = field(default_factory=dict)
    absent: str = UNKNOWN
    leads_to: str | None = None
    stacked: bool = False
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def alarms(self) -> tuple[str, ...]:
        """The alerts whose runbooks help."""
        return (*([self.alarm] if self.alarm else []), *self.alarms_beside)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Panels side by side under a heading; they share the width.

    Attributes:
        title: The heading.
        height: Height of each panel in grid units of 30 pixels.
        panels: From left to right.
    """

    title: str
    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One dashboard.

    Attributes:
        name: Name of its file; with a prefix its uid, which must never change, for links and bookmarks hold it.
        title: What people call it.
        about: The question that it answers.
        rows: From top to bottom.
    """

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """What links to it say."""
        return f"signal-{self.name}"


def graph(
    title: str,
    about: str,
    queries: dict[str, str],
    unit: str = "short",
    *,
    alarm: str | None = None,
    alarms_beside: tuple[str, ...] = (),
    stacked: bool = False,
    leads_to: str | None = None,
) -> Panel:
    """Return a panel that shows series over time."""
    return Panel(
        title=title, about=about, kind=Kind.GRAPH, queries=queries, unit=unit, alarm=alarm,
        alarms_beside=alarms_beside, stacked=stacked, leads_to=leads_to,
    )  # fmt: skip


def stat(
    title: str,
    about: str,
    query: str | dict[str, str],
    unit: str = "short",
    *,
    alarm: str | None = None,
    states: States | None = None,
    absent: str = UNKNOWN,
    leads_to: str | None = None,
) -> Panel:
    """Return a panel that shows the present value of one series, or of a few."""
    queries = {"": query} if isinstance(query, str) else query
    return Panel(
        title=title, about=about, kind=Kind.STAT, queries=queries, unit=unit, alarm=alarm,
        states=states or {}, absent=absent, leads_to=leads_to,
    )  # fmt: skip


def bars(title: str, about: str, queries: dict[str, str], unit: str = "short") -> Panel:
    """Return a panel that compares present values."""
    return Panel(title=title, about=about, kind=Kind.BARS, queries=queries, unit=unit)


def table(title: str, about: str, query: str, columns: dict[str, str], *, absent: str, leads_to: str) -> Panel:
    """Return a panel that lists present series by their labels."""
    return Panel(
        title=title, about=about, kind=Kind.TABLE, queries={"": query}, columns=columns, absent=absent,
        leads_to=leads_to,
    )  # fmt: skip
