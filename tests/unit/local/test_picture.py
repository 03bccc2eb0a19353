"""The picture of a run: what is drawn where, without Prometheus."""

import math
import re
from xml.etree import ElementTree as ET

from local.dashboards.model import graph
from local.picture import PANELS, Curve, Mark, draw, panels

PANEL = graph("Lag <of> all", "what waits", {"": "lag"}, "s")
BEGIN, END = 1_800_000_000.0, 1_800_000_300.0


def paths(curves: list[Curve]) -> list[str]:
    """Return the lines of a picture with one plot."""
    svg = draw([(PANEL, curves)], [Mark(begin=BEGIN + 60, end=BEGIN + 120, text="stopped & away")], BEGIN, END)
    tree = ET.fromstring(svg)  # noqa: S314 - our own; that it parses is what is tested
    return [path.attrib["d"] for path in tree.iter("{http://www.w3.org/2000/svg}path")]


def test_values_are_drawn_to_scale() -> None:
    """The scale ends at a round number above the greatest value; time runs from edge to edge, zero is at the bottom."""
    (line,) = paths([Curve(legend="a", points=[(BEGIN, 0.0), (END, 300.0)])])
    (left, bottom), (right, top) = (tuple(map(float, point.split())) for point in re.findall(r"[\d.]+ [\d.]+", line))
    assert (left, right) == (70, 730)
    assert bottom - top == 150 * 300 / 400


def test_what_nobody_knew_is_a_gap() -> None:
    """A line ends where a value is not known and begins anew after it, instead of passing over it."""
    (line,) = paths([Curve(legend="a", points=[(BEGIN, 1.0), (BEGIN + 5, math.nan), (BEGIN + 10, 1.0)])])
    assert line.count("M") == 2
    assert "L" not in line


def test_nothing_but_unknown_values_is_drawn() -> None:
    """A series that nobody knew is an empty line, not an error."""
    assert paths([Curve(legend="a", points=[(BEGIN, math.nan)])]) == [""]


def test_the_panels_are_those_of_the_overview() -> None:
    """Each drawn panel is one of the dashboard's, with its expressions."""
    assert [panel.title for panel in panels()] == list(PANELS)
    assert all(panel.queries for panel in panels())
