"""Draws a stretch of time as the overview dashboard shows it, where there is no Grafana: an SVG from Prometheus' data.

    panels of local/dashboards ──expressions──▶ Prometheus /api/v1/query_range ──▶ curves ──▶ one SVG

The picture has the dashboard's own expressions, titles and legends, so it cannot show what the dashboard would not.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from local.dashboards.model import Panel
from local.dashboards.overview import OVERVIEW
from signal_pipeline.settings import Settings

__all__ = ["Curve", "Mark", "draw", "panels", "read_curves", "write_picture"]

PANELS: Final = ("Throughput", "Consumer lag, events", "Consumer lag, age", "Dead letters wait")
_STEP_SECONDS: Final = 5  # the scrape interval
_RATE_INTERVAL: Final = "20s"  # four scrapes, as Grafana takes for $__rate_interval
_REQUEST_SECONDS: Final = 10
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _GAP = 960, 150, 70, 230, 46, 58
_COLOURS: Final = ("#1f77b4", "#d95f02", "#1b9e77", "#7570b3", "#666666")
_DIRECT: Final = build_opener(ProxyHandler({}))  # Prometheus is a neighbour
_UNITS: Final = {"cps": "per second", "s": "seconds", "short": ""}
_MOST_TICKS: Final = 4
_FONT: Final = 'font-family="sans-serif" font-size="12"'


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One series of a panel.

    Attributes:
        legend: Its name.
        points: Time in seconds and value; NaN where nobody knew it.
    """

    legend: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A stretch of time that is shaded, with what happened in it."""

    begin: float
    end: float
    text: str


def write_picture(settings: Settings, path: Path, span: tuple[float, float], marks: Sequence[str]) -> None:
    """Write the picture of a stretch of time.

    Args:
        settings: Where Prometheus is.
        path: File to write.
        span: First and last moment, in seconds since 1970.
        marks: `begin,end,text` of stretches to shade.

    Raises:
        OSError: Prometheus does not answer, or the file cannot be written.
    """
    url, (begin, end) = f"http://127.0.0.1:{settings.prometheus_port}", span
    shaded = []
    for mark in marks:
        first, last, text = mark.split(",", 2)
        shaded.append(Mark(begin=float(first), end=float(last), text=text))
    plots = [(panel, read_curves(url, panel, begin, end)) for panel in panels()]
    path.write_text(draw(plots, shaded, begin, end))


def panels() -> list[Panel]:
    """Return the panels of the overview that are drawn."""
    every = {panel.title: panel for row in OVERVIEW.rows for panel in row.panels}
    return [every[title] for title in PANELS]


def read_curves(url: str, panel: Panel, begin: float, end: float) -> list[Curve]:
    """Ask Prometheus for the curves of a panel.

    Args:
        url: Address of Prometheus.
        panel: Its queries are asked.
        begin: First moment, in seconds since 1970.
        end: Last moment.

    Raises:
        OSError: Prometheus does not answer, or refuses the query.
    """
    curves = []
    for legend, expression in panel.queries.items():
        query = expression.replace("$__rate_interval", _RATE_INTERVAL)
        asked = urlencode({"query": query, "start": begin, "end": end, "step": _STEP_SECONDS})
        with _DIRECT.open(f"{url}/api/v1/query_range?{asked}", timeout=_REQUEST_SECONDS) as answer:
            found = json.load(answer)["data"]["result"]
        curves += [_curve(legend or panel.title.lower(), series, begin, end) for series in found]
    return curves


def _curve(legend: str, series: dict[str, Any], begin: float, end: float) -> Curve:
    for label, value in series["metric"].items():
        legend = legend.replace("{{" + label + "}}", value)
    known = {round(at): float(value) for at, value in series["values"]}
    moments = range(round(begin), round(end) + 1, _STEP_SECONDS)
    return Curve(legend=legend, points=[(at, known.get(at, math.nan)) for at in moments])


def draw(plots: Sequence[tuple[Panel, Sequence[Curve]]], marks: Sequence[Mark], begin: float, end: float) -> str:
    """Return the SVG: one plot below the other, over the same time."""
    height = _TOP + len(plots) * (_HEIGHT + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, (panel, curves) in enumerate(plots):
        frame = _Frame(top=_TOP + number * (_HEIGHT + _GAP), begin=begin, end=end, most=_most(curves))
        parts += _plot(frame, panel, curves, marks)
    return "\n".join([*parts, "</svg>", ""])


@dataclass(frozen=True, kw_only=True)
class _Frame:
    top: int
    begin: float
    end: float
    most: float

    def x(self, at: float) -> float:
        return round(_LEFT + (at - self.begin) / (self.end - self.begin) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        return round(self.top + _HEIGHT * (1 - value / self.most), 1)


def _most(curves: Sequence[Curve]) -> float:
    """Return the upper end of the scale: the greatest value, rounded up to what a quarter of is easy to read."""
    greatest = max((value for curve in curves for _, value in curve.points if not math.isnan(value)), default=0)
    if greatest <= 1:
        return 1
    power = 10.0 ** math.floor(math.log10(greatest))
    return next(power * factor for factor in (1, 2, 4, 6, 8, 10) if power * factor >= greatest)


def _plot(frame: _Frame, panel: Panel, curves: Sequence[Curve], marks: Sequence[Mark]) -> Iterator[str]:
    unit = _UNITS.get(panel.unit, panel.unit)
    title = f"{panel.title}, {unit}" if unit and unit not in panel.title else panel.title
    yield f'<text x="{_LEFT}" y="{frame.top - 10}" font-weight="bold">{escape(title)}</text>'
    for mark in marks:
        left, right = frame.x(mark.begin), frame.x(mark.end)
        yield f'<rect x="{left}" y="{frame.top}" width="{right - left:.1f}" height="{_HEIGHT}" fill="#fbe3e3"/>'
        yield f'<text x="{left + 4}" y="{frame.top + 14}" fill="#a33" font-size="11">{escape(mark.text)}</text>'
    yield from _axes(frame)
    right = _WIDTH - _RIGHT + 12
    for number, curve in enumerate(curves):
        colour, y = _COLOURS[number % len(_COLOURS)], frame.top + 14 + 18 * number
        yield f'<path d="{_path(frame, curve)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        yield f'<rect x="{right}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{right + 16}" y="{y}">{escape(curve.legend)}</text>'


def _axes(frame: _Frame) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, frame.top + _HEIGHT
    for number in range(_MOST_TICKS + 1):
        value = frame.most * number / _MOST_TICKS
        y = frame.y(value)
        yield f'<line x1="{_LEFT}" x2="{right}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{value:,.10g}</text>'
    minute = 60
    for at in range(math.ceil(frame.begin / minute) * minute, math.floor(frame.end) + 1, minute):
        clock = datetime.fromtimestamp(at, UTC).strftime("%H:%M")
        yield f'<line x1="{frame.x(at)}" x2="{frame.x(at)}" y1="{bottom}" y2="{bottom + 4}" stroke="#888"/>'
        yield f'<text x="{frame.x(at)}" y="{bottom + 18}" text-anchor="middle">{clock}</text>'


def _path(frame: _Frame, curve: Curve) -> str:
    """Return the line, with a gap wherever the value is not known."""
    path, pen_is_down = [], False
    for at, value in curve.points:
        if math.isnan(value):
            pen_is_down = False
            continue
        path.append(f"{'L' if pen_is_down else 'M'}{frame.x(at)} {frame.y(value)}")
        pen_is_down = True
    return "".join(path)
