"""The shape that the Prometheus Operator's definitions ask for, strictly: only what the product uses is allowed."""
# ruff: noqa: N815  the fields are Kubernetes'

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["KustomizationFile", "PodMonitorFile", "PrometheusRuleFile"]

# As in the operator's own definitions: no fractions, units from the largest to the smallest.
_Duration = Annotated[
    str, Field(pattern=r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$")
]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
_LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Metadata(_Strict):
    name: _Name
    labels: dict[str, _LabelValue]


class _Expression(_Strict):
    key: str
    operator: Literal["In", "NotIn"]
    values: list[_LabelValue]


class _Selector(_Strict):
    matchLabels: dict[str, _LabelValue]
    matchExpressions: list[_Expression]


class _Relabeling(_Strict):
    sourceLabels: list[str]
    regex: str
    action: Literal["keep"]


class _Endpoint(_Strict):
    port: Annotated[str, Field(max_length=15)]  # the longest name of a container's port
    path: str
    interval: _Duration
    relabelings: list[_Relabeling]


class _PodMonitorSpec(_Strict):
    jobLabel: str
    podTargetLabels: list[str]
    selector: _Selector
    podMetricsEndpoints: list[_Endpoint]


class PodMonitorFile(_Strict):
    """A PodMonitor."""

    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    metadata: _Metadata
    spec: _PodMonitorSpec


class _Rule(_Strict):
    expr: str
    alert: str | None = None
    record: str | None = None
    for_: _Duration | None = Field(None, alias="for")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.alert is None) == (self.record is None):
            raise ValueError("a rule is an alert or a recorded series")
        if self.record is not None and (self.for_ is not None or self.annotations):
            raise ValueError("a recorded series has neither `for` nor annotations")
        return self


class _Group(_Strict):
    name: Annotated[str, Field(min_length=1)]
    interval: _Duration
    rules: list[_Rule]


class _PrometheusRuleSpec(_Strict):
    groups: list[_Group]

    @model_validator(mode="after")
    def _names_are_keys(self) -> Self:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ValueError("the name of a group is its key in the list")
        return self


class PrometheusRuleFile(_Strict):
    """A PrometheusRule."""

    apiVersion: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PrometheusRule"]
    metadata: _Metadata
    spec: _PrometheusRuleSpec


class KustomizationFile(_Strict):
    """A kustomization."""

    apiVersion: Literal["kustomize.config.k8s.io/v1beta1"]
    kind: Literal["Kustomization"]
    resources: list[str]
