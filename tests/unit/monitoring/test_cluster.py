"""What a cluster's Prometheus is told is what the local one is told: same targets, same labels, same rules."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.layout import ROOT
from signal_pipeline.topology import ROLES
from tests.support.cluster import KustomizationFile, PodMonitorFile, PrometheusRuleFile
from tests.support.rule_files import rule_groups

FOLDER = ROOT / "deploy" / "monitoring"
README = (FOLDER / "README.md").read_text()
LOCAL: dict[str, Any] = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())
# What the local configuration gives the targets of the roles.
TARGETS = {
    group["labels"]["role"]: int(target.partition(":")[2])
    for job in LOCAL["scrape_configs"]
    if job["job_name"] == "signal-pipeline"
    for group in job["static_configs"]
    for target in group["targets"]
}


@pytest.fixture
def monitor() -> PodMonitorFile:
    """The PodMonitor, which must have the documented shape."""
    return PodMonitorFile.model_validate(_yaml("pod-monitor.yaml"))


def test_everything_in_the_folder_is_applied() -> None:
    """The kustomization names every manifest beside it, and nothing else."""
    resources = KustomizationFile.model_validate(_yaml("kustomization.yaml")).resources
    assert set(resources) == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}


def test_the_roles_own_pages_are_scraped_and_no_other(monitor: PodMonitorFile) -> None:
    """A role is scraped at the port of the topology: not at its trigger's, whose page it holds, nor at another's."""
    (endpoint,), (expression,) = monitor.spec.podMetricsEndpoints, monitor.spec.selector.matchExpressions
    (relabeling,) = endpoint.relabelings
    assert relabeling.sourceLabels == [
        "__meta_kubernetes_pod_label_role",
        "__meta_kubernetes_pod_container_port_number",
    ]
    ports = {port for role in ROLES for port in (role.port, role.metrics_port, role.trigger_port) if port}
    # Prometheus joins the labels with a semicolon, and its expressions match the whole.
    kept = {(role.name, port) for role in ROLES for port in ports if _matches(relabeling.regex, role.name, port)}
    assert kept == {(role.name, role.metrics_port) for role in ROLES} == set(TARGETS.items())
    assert (expression.key, set(expression.values)) == ("role", {role.name for role in ROLES})
    assert (endpoint.path, endpoint.interval) == ("/metrics", LOCAL["global"]["scrape_interval"])


def _matches(regex: str, role: str, port: int) -> bool:
    return re.fullmatch(regex, f"{role};{port}") is not None


def test_targets_have_the_labels_that_the_rules_look_for(monitor: PodMonitorFile) -> None:
    """`role` comes from the pod's label, `job` from the label that selects the pod, whose value is the job's name."""
    spec = monitor.spec
    assert "role" in spec.podTargetLabels
    assert spec.selector.matchLabels == {spec.jobLabel: "signal-pipeline"}
    assert {job for group in rule_groups() for job in re.findall(r'job="([^"]*)"', str(group))} == {"signal-pipeline"}


def test_the_rules_are_those_of_the_local_prometheus() -> None:
    """Every group of monitoring/rules is there as it is, evaluated as often; the shape is that of a PrometheusRule."""
    text = _yaml("prometheus-rule.yaml")
    PrometheusRuleFile.model_validate(text)
    interval = LOCAL["global"]["evaluation_interval"]
    assert text["spec"]["groups"] == [{**group, "interval": interval} for group in rule_groups()]


def test_the_rules_load(tmp_path: Path) -> None:
    """Prometheus' own tool takes the groups as a rules file, which is what the operator makes of them."""
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(_yaml("prometheus-rule.yaml")["spec"]))
    checked = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{sum(len(group['rules']) for group in rule_groups())} rules found" in checked.stdout


def test_the_guide_names_every_role_and_port() -> None:
    """Its table is the topology, and its example is one of the rows."""
    rows = re.findall(r"^\| ([a-z-]+) \| (\d+) \|$", README, re.MULTILINE)
    assert rows == [(role.name, str(role.metrics_port)) for role in ROLES]
    pod, annotated, _ = _examples()
    role, ports = pod["metadata"]["labels"]["role"], pod["spec"]["containers"][0]["ports"]
    assert ports == [{"name": "metrics", "containerPort": TARGETS[role]}]
    assert annotated["metadata"]["annotations"]["prometheus.io/port"] == str(TARGETS[role])


def test_the_guides_scrape_configuration_loads(tmp_path: Path) -> None:
    """Without the operator: Prometheus' own tool takes the example, and it sets `job` and `role`."""
    configuration = _examples()[2]
    (job,) = configuration["scrape_configs"]
    assert job["job_name"] == "signal-pipeline"
    assert {rule["target_label"] for rule in job["relabel_configs"] if "target_label" in rule} >= {"role"}
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]  # some builds of Prometheus know no Kubernetes
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    checked = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _examples() -> list[dict[str, Any]]:
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)]


def _yaml(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())
