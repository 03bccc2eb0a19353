"""The Grafana dashboards as tables; `python -m local generate` writes them as JSON.

A panel is one entry here and some fifty lines of JSON there. Place, colours, thresholds and links are derived, so that
changing one thing is changing one line; a test keeps the JSON in step.
"""

import json

from local.dashboards.database import DATABASE
from local.dashboards.dead_letters import DEAD_LETTERS
from local.dashboards.grafana import dashboard_json, runbooks_json
from local.dashboards.model import Dashboard
from local.dashboards.outbox import OUTBOX
from local.dashboards.overview import OVERVIEW
from local.dashboards.security import SECURITY
from local.dashboards.trigger import TRIGGER

__all__ = ["DASHBOARDS", "dashboard_files"]

DASHBOARDS: tuple[Dashboard, ...] = (OVERVIEW, TRIGGER, DATABASE, OUTBOX, DEAD_LETTERS, SECURITY)


def dashboard_files() -> dict[str, str]:
    """Return name and text of each dashboard's file."""
    boards = {each.name: dashboard_json(each) for each in DASHBOARDS} | {"runbooks": runbooks_json()}
    return {f"{name}.json": json.dumps(board, indent=1, ensure_ascii=False) + "\n" for name, board in boards.items()}
