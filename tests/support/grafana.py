"""The documented shape of the dashboards that Grafana 11 and 12 load, strictly.

Only what the product uses is allowed, so that a misspelt name, which Grafana would ignore in silence, is an error here.
Written from Grafana's documentation of the classic dashboard model.
"""
# ruff: noqa: N815  the fields are Grafana's

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tests.support.pipeline import ROOT

__all__ = ["DASHBOARD_FILES", "Board", "Grid", "PanelModel", "RowModel", "Target", "TextModel", "board"]

DASHBOARD_FILES = sorted((ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json"))
_COLOURS = Literal["green", "orange", "red", "blue", "text"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _DataSource(_Strict):
    type: Literal["prometheus"]
    uid: Literal["${datasource}"]


class Grid(_Strict):
    """A place on the grid of 24 columns."""

    x: Annotated[int, Field(ge=0, lt=24)]
    y: Annotated[int, Field(ge=0)]
    w: Annotated[int, Field(gt=0, le=24)]
    h: Annotated[int, Field(gt=0)]


class Target(_Strict):
    """One query of a panel."""

    refId: Annotated[str, Field(pattern="^[A-Z]$")]
    datasource: _DataSource
    editorMode: Literal["code", "builder"]
    expr: Annotated[str, Field(min_length=1)]
    legendFormat: Annotated[str, Field(min_length=1)]
    format: Literal["time_series", "table", "heatmap"]
    range: bool
    instant: bool


class _Threshold(_Strict):
    value: float | None
    color: _COLOURS


class _Thresholds(_Strict):
    mode: Literal["absolute", "percentage"]
    steps: Annotated[list[_Threshold], Field(min_length=1)]


class _Said(_Strict):
    text: str
    color: _COLOURS
    index: int = 0


class _Special(_Strict):
    match: Literal["true", "false", "null", "nan", "null+nan", "empty"]
    result: _Said


class _SpecialMapping(_Strict):
    type: Literal["special"]
    options: _Special


class _ValueMapping(_Strict):
    type: Literal["value"]
    options: dict[str, _Said]


class _Colour(_Strict):
    mode: Literal["thresholds", "palette-classic"]


class _Stacking(_Strict):
    mode: Literal["none", "normal", "percent"]
    group: str


class _ThresholdStyle(_Strict):
    mode: Literal["off", "line", "dashed", "area"]


class _Curve(_Strict):
    drawStyle: Literal["line", "bars", "points"]
    lineWidth: Annotated[int, Field(ge=0, le=10)]
    fillOpacity: Annotated[int, Field(ge=0, le=100)]
    showPoints: Literal["auto", "never", "always"]
    spanNulls: bool
    stacking: _Stacking
    thresholdsStyle: _ThresholdStyle


class _Nothing(_Strict):
    pass


class _Defaults(_Strict):
    # Ids of Grafana's list of units.
    unit: Literal["short", "s", "bytes", "percentunit", "cps", "reqps"]
    noValue: Annotated[str, Field(min_length=1)]
    thresholds: _Thresholds
    mappings: list[Annotated[_SpecialMapping | _ValueMapping, Field(discriminator="type")]]
    color: _Colour
    custom: _Nothing | _Curve
    min: float | None = None
    max: float | None = None


class _FieldConfig(_Strict):
    defaults: _Defaults
    overrides: Annotated[list[Any], Field(max_length=0)]


class _Transformation(_Strict):
    id: Literal["filterFieldsByName", "organize"]
    options: dict[str, Any]


class _PanelLink(_Strict):
    title: str
    url: Annotated[str, Field(pattern=r"^/d/[\w-]+\?(\$\{__url_time_range\}|viewPanel=panel-\d+)$")]
    targetBlank: bool


class PanelModel(_Strict):
    """A panel with data."""

    id: Annotated[int, Field(gt=0)]
    # Types that Grafana 11 and 12 maintain; graph, singlestat and table-old are gone.
    type: Literal["timeseries", "stat", "bargauge", "gauge", "table"]
    title: Annotated[str, Field(min_length=1)]
    description: Annotated[str, Field(min_length=20)]
    gridPos: Grid
    datasource: _DataSource
    targets: Annotated[list[Target], Field(min_length=1)]
    fieldConfig: _FieldConfig
    options: dict[str, Any]
    transformations: list[_Transformation]
    links: list[_PanelLink]


class RowModel(_Strict):
    """A heading; an open row holds no panels itself."""

    id: Annotated[int, Field(gt=0)]
    type: Literal["row"]
    title: Annotated[str, Field(min_length=1)]
    collapsed: Literal[False]
    gridPos: Grid
    panels: Annotated[list[Any], Field(max_length=0)]


class _Text(_Strict):
    mode: Literal["markdown", "html", "code"]
    content: Annotated[str, Field(min_length=1)]


class _NoFields(_Strict):
    defaults: _Nothing
    overrides: Annotated[list[Any], Field(max_length=0)]


class TextModel(_Strict):
    """A panel that is a page of text."""

    id: Annotated[int, Field(gt=0)]
    type: Literal["text"]
    title: Annotated[str, Field(min_length=1)]
    gridPos: Grid
    options: _Text
    fieldConfig: _NoFields
    transparent: bool


class _Variable(_Strict):
    name: str
    label: str
    type: Literal["datasource", "query"]
    query: str | dict[str, str]
    hide: Literal[0, 1, 2]
    refresh: Literal[0, 1, 2]
    regex: str
    multi: bool
    includeAll: bool
    options: Annotated[list[Any], Field(max_length=0)]
    current: dict[str, list[str]]
    datasource: _DataSource | None = None
    definition: str | None = None
    sort: int = 0
    allValue: str | None = None


class _Templating(_Strict):
    list: list[_Variable]


class _Annotation(_Strict):
    name: str
    datasource: _DataSource
    enable: bool
    hide: bool
    iconColor: str
    expr: str
    titleFormat: str
    textFormat: str
    step: str


class _Annotations(_Strict):
    list: list[_Annotation]


class _DashboardLink(_Strict):
    title: str
    type: Literal["dashboards", "link"]
    tags: list[str]
    asDropdown: bool
    keepTime: bool
    includeVars: bool
    targetBlank: bool
    icon: str
    tooltip: str
    url: str


class _Range(_Strict):
    model_config = ConfigDict(populate_by_name=True)
    since: Annotated[str, Field(alias="from", pattern=r"^now-\d+[mhd]$")]
    to: Literal["now"]


class Board(_Strict):
    """A dashboard. It has no id and no version: those are a database's, the uid is ours."""

    uid: Annotated[str, Field(pattern=r"^[a-z-]{8,40}$")]
    title: str
    description: str
    tags: list[str]
    schemaVersion: Literal[41]
    timezone: Literal["browser", "utc"]
    editable: bool
    graphTooltip: Literal[0, 1, 2]
    refresh: Annotated[str, Field(pattern=r"^\d+[sm]$")]
    time: _Range
    timepicker: _Nothing
    templating: _Templating
    annotations: _Annotations
    links: list[_DashboardLink]
    panels: list[RowModel | PanelModel | TextModel]

    def with_data(self) -> Iterator[PanelModel]:
        """Yield the panels that are no headings."""
        return (panel for panel in self.panels if isinstance(panel, PanelModel))


def board(path: Path) -> Board:
    """Return a dashboard's file; `ValidationError` names what Grafana does not know."""
    return Board.model_validate(json.loads(path.read_text()))
