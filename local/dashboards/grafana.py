"""Grafana's spelling of a dashboard: its JSON model.

Panels say what they mean when there is nothing to show. A present value is asked for at this moment and not over the
range, for the last value of a series that has ended would stand there as if it were true; NaN has a text of its own;
gaps of a graph stay gaps.
"""

from itertools import count
from typing import Any

from local.dashboards.alarms import Step, alarms
from local.dashboards.model import Dashboard, Kind, Panel, Row
from local.dashboards.runbooks import Page, runbook_pages

__all__ = ["SCHEMA_VERSION", "dashboard_json", "runbooks_json"]

SCHEMA_VERSION = 41  # of Grafana 11.6 and 12.0; newer ones migrate it when they load it
_WIDTH = 24
_TAG = "signal-pipeline"
_RUNBOOKS_UID = "signal-runbooks"
_PAGE_HEIGHT = 12
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_NEUTRAL: tuple[Step, ...] = ((None, "blue"),)

Json = dict[str, Any]


def dashboard_json(dashboard: Dashboard) -> Json:
    """Return a dashboard as Grafana reads it."""
    frame = _frame(dashboard.uid, dashboard.title, dashboard.about)
    return {
        **frame,
        "templating": {"list": _variables(dashboard)},
        "annotations": {"list": [_firing_alerts()]},
        "panels": _panels(dashboard.rows),
    }


def runbooks_json() -> Json:
    """Return the dashboard that shows the runbooks."""
    frame = _frame(_RUNBOOKS_UID, "Signal pipeline: runbooks", "What to do about each alert.")
    return {**frame, "panels": [_page(page) for page in runbook_pages().values()]}


def _page(page: Page) -> Json:
    row, column = divmod(page.number - 1, 2)
    return {
        "id": page.number,
        "type": "text",
        "title": page.title,
        "gridPos": {"x": column * _WIDTH // 2, "y": row * _PAGE_HEIGHT, "w": _WIDTH // 2, "h": _PAGE_HEIGHT},
        "options": {"mode": "markdown", "content": page.text},
        "fieldConfig": {"defaults": {}, "overrides": []},
        "transparent": False,
    }


def _frame(uid: str, title: str, about: str) -> Json:
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": [_TAG],
        "schemaVersion": SCHEMA_VERSION,
        "timezone": "browser",
        # One may try a change while looking for a fault; saving it is refused, for the file is what counts.
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timepicker": {},
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [_dashboards_link()],
        "panels": [],
    }


def _variables(dashboard: Dashboard) -> list[Json]:
    datasource = {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
        "refresh": 1, "regex": "", "multi": False, "includeAll": False, "options": [], "current": {},
    }  # fmt: skip
    queries = [query for row in dashboard.rows for panel in row.panels for query in panel.queries.values()]
    return [datasource, *([_role_variable()] if any("$role" in query for query in queries) else [])]


def _role_variable() -> Json:
    definition = 'label_values(up{job="signal-pipeline"}, role)'
    return {
        "name": "role", "label": "Role", "type": "query", "datasource": _DATASOURCE, "definition": definition,
        "query": {"query": definition, "refId": "roles"}, "hide": 0, "refresh": 2, "regex": "", "sort": 1,
        "multi": True, "includeAll": True, "allValue": ".+", "options": [],
        "current": {"text": ["All"], "value": ["$__all"]},
    }  # fmt: skip


def _firing_alerts() -> Json:
    return {
        "name": "Firing alerts", "datasource": _DATASOURCE, "enable": True, "hide": False, "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing"}', "titleFormat": "{{alertname}}", "textFormat": "{{role}}", "step": "10s",
    }  # fmt: skip


def _dashboards_link() -> Json:
    return {
        "title": "Signal pipeline", "type": "dashboards", "tags": [_TAG], "asDropdown": False, "keepTime": True,
        "includeVars": False, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
    }  # fmt: skip


def _panels(rows: tuple[Row, ...]) -> list[Json]:
    """Return headings and panels: the rows below each other, the panels of a row over its whole width."""
    numbers, top, panels = count(1), 0, []
    for row in rows:
        place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
        panels.append(
            {"id": next(numbers), "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        )
        edges = [index * _WIDTH // len(row.panels) for index in range(len(row.panels) + 1)]
        for panel, left, right in zip(row.panels, edges, edges[1:], strict=False):
            place = {"x": left, "y": top + 1, "w": right - left, "h": row.height}
            panels.append({"id": next(numbers), "gridPos": place, **_panel(panel)})
        top += 1 + row.height
    return panels


def _panel(panel: Panel) -> Json:
    return {
        "type": panel.kind.value,
        "title": panel.title,
        "description": _description(panel),
        "datasource": _DATASOURCE,
        "targets": [_target(panel, index, *query) for index, query in enumerate(panel.queries.items())],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        "transformations": _columns(panel) if panel.columns else [],
        "links": _links(panel),
    }


def _description(panel: Panel) -> str:
    runbooks = [f"- {name}: `{alarms()[name].runbook}`" for name in panel.alarms]
    return "\n".join([panel.about, "", "Alerts and their runbooks:", *runbooks] if runbooks else [panel.about])


def _links(panel: Panel) -> list[Json]:
    links = (
        {f"Details: {panel.leads_to}": f"/d/signal-{panel.leads_to}?${{__url_time_range}}"} if panel.leads_to else {}
    )
    for name in panel.alarms:
        page = runbook_pages().get(alarms()[name].runbook)
        if page is not None:
            links[f"Runbook: {name}"] = f"/d/{_RUNBOOKS_UID}?viewPanel=panel-{page.number}"
    return [{"title": title, "url": url, "targetBlank": False} for title, url in links.items()]


def _target(panel: Panel, index: int, legend: str, expression: str) -> Json:
    over_time = panel.kind is Kind.GRAPH
    return {
        "refId": chr(ord("A") + index),
        "datasource": _DATASOURCE,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend or "__auto",
        "format": "table" if panel.kind is Kind.TABLE else "time_series",
        "range": over_time,
        "instant": not over_time,
    }


def _field(panel: Panel) -> Json:
    steps = alarms()[panel.alarm].steps if panel.alarm else _NEUTRAL
    field: Json = {
        "unit": panel.unit,
        "noValue": panel.absent,
        "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]},
        "mappings": _mappings(panel),
        "color": {"mode": "palette-classic" if panel.kind is Kind.GRAPH else "thresholds"},
        "custom": {},
    }
    if panel.kind is Kind.GRAPH:
        field |= {"min": 0, "custom": _curve(panel)}
    if panel.kind is Kind.BARS:
        field |= {"min": 0} | ({"max": 1} if panel.unit == "percentunit" else {})
    return field


def _mappings(panel: Panel) -> list[Json]:
    if panel.kind in {Kind.GRAPH, Kind.TABLE}:  # a cell of a table may well be empty
        return []
    absent = {"match": "null+nan", "result": {"text": panel.absent, "color": "text", "index": 0}}
    states = {str(value): {"text": text, "color": colour} for value, (text, colour) in panel.states.items()}
    return [{"type": "special", "options": absent}, *([{"type": "value", "options": states}] if states else [])]


def _curve(panel: Panel) -> Json:
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.stacked else 8,
        "showPoints": "auto",  # a value alone between two gaps is a point
        "spanNulls": False,
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if panel.alarm else "off"},
    }


def _columns(panel: Panel) -> list[Json]:
    shown = {name: index for index, name in enumerate(panel.columns)}
    options = {"include": {"names": list(shown)}}
    order = {"excludeByName": {}, "indexByName": shown, "renameByName": panel.columns}
    return [{"id": "filterFieldsByName", "options": options}, {"id": "organize", "options": order}]


_PRESENT = {"calcs": ["last"], "fields": "", "values": False}
_OPTIONS: dict[Kind, Json] = {
    Kind.GRAPH: {
        "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["last", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Kind.STAT: {
        "reduceOptions": _PRESENT, "colorMode": "background", "graphMode": "none", "justifyMode": "auto",
        "orientation": "auto", "textMode": "auto", "wideLayout": True,
    },
    Kind.BARS: {
        "reduceOptions": _PRESENT, "displayMode": "basic", "orientation": "horizontal", "showUnfilled": True,
        "valueMode": "color", "minVizWidth": 8, "minVizHeight": 16, "sizing": "auto", "namePlacement": "auto",
    },
    Kind.TABLE: {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": [], "countRows": False}},
}  # fmt: skip
