"""Prometheus in a cluster: what its operator must be told, made from the same tables and rules as the local run.

PodMonitor ──▶ one target a pod and role, labelled `job` and `role` as monitoring/prometheus.yml labels them
PrometheusRule ──▶ the groups of monitoring/rules, as they are

Both carry the intervals of monitoring/prometheus.yml: the windows of the rules hold enough samples at these alone.
"""

from typing import Any, Final

import yaml

from local.layout import ROOT
from signal_pipeline.topology import ROLES

__all__ = ["cluster_files"]

_MONITORING: Final = ROOT / "monitoring"
_HEADER: Final = "# Made by `python -m local generate`; change {sources} instead.\n"
_NAME: Final = "signal-pipeline"
_API: Final = "monitoring.coreos.com/v1"
_PART_OF: Final = "app.kubernetes.io/part-of"
_TARGET: Final = ("__meta_kubernetes_pod_label_role", "__meta_kubernetes_pod_container_port_number")
_WIDTH: Final = 120


def cluster_files() -> dict[str, str]:
    """Return name and text of each generated file of deploy/monitoring."""
    return {
        "pod-monitor.yaml": _text(_pod_monitor(), "signal_pipeline/topology.py"),
        "prometheus-rule.yaml": _text(_prometheus_rule(), "monitoring/rules"),
    }


def _pod_monitor() -> dict[str, Any]:
    pages = "|".join(f"{role.name};{role.metrics_port}" for role in ROLES)
    return {
        "apiVersion": _API,
        "kind": "PodMonitor",
        "metadata": _metadata(),
        "spec": {
            "jobLabel": _PART_OF,
            "podTargetLabels": ["role"],
            "selector": {
                "matchLabels": {_PART_OF: _NAME},
                "matchExpressions": [{"key": "role", "operator": "In", "values": [role.name for role in ROLES]}],
            },
            "podMetricsEndpoints": [
                {
                    "port": "metrics",
                    "path": "/metrics",
                    "interval": _intervals()["scrape_interval"],
                    # The role's own page holds its trigger's too: another port would count the trigger twice.
                    "relabelings": [
                        {
                            "sourceLabels": list(_TARGET),
                            "regex": pages,
                            "action": "keep",
                        }
                    ],
                }
            ],
        },
    }


def _prometheus_rule() -> dict[str, Any]:
    files, interval = sorted((_MONITORING / "rules").glob("*.yml")), _intervals()["evaluation_interval"]
    read = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    groups = [{"name": group["name"], "interval": interval, **group} for group in read]
    return {"apiVersion": _API, "kind": "PrometheusRule", "metadata": _metadata(), "spec": {"groups": groups}}


def _intervals() -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load((_MONITORING / "prometheus.yml").read_text())["global"]
    return found


def _metadata() -> dict[str, Any]:
    return {"name": _NAME, "labels": {"app.kubernetes.io/name": _NAME, _PART_OF: _NAME}}


def _text(document: dict[str, Any], sources: str) -> str:
    return _HEADER.format(sources=sources) + yaml.safe_dump(document, sort_keys=False, width=_WIDTH)
