"""The documented shape of Grafana's provisioning files, strictly: only what the product uses is allowed."""
# ruff: noqa: N815  the fields are Grafana's

from typing import Literal

from pydantic import BaseModel, ConfigDict

from tests.support.pipeline import ROOT

__all__ = ["PROVISIONING", "DataSourceFile", "ProviderFile"]

PROVISIONING = ROOT / "monitoring" / "grafana" / "provisioning"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _DataSourceEntry(_Strict):
    name: str
    uid: str
    type: Literal["prometheus"]
    access: Literal["proxy", "direct"]
    url: str
    isDefault: bool
    editable: bool
    jsonData: dict[str, str | bool]


class DataSourceFile(_Strict):
    """A file of provisioning/datasources."""

    apiVersion: Literal[1]
    prune: bool
    datasources: list[_DataSourceEntry]


class _ProviderOptions(_Strict):
    path: str
    foldersFromFilesStructure: bool


class _Provider(_Strict):
    name: str
    type: Literal["file"]
    folder: str
    folderUid: str
    disableDeletion: bool
    allowUiUpdates: bool
    updateIntervalSeconds: int
    options: _ProviderOptions


class ProviderFile(_Strict):
    """A file of provisioning/dashboards."""

    apiVersion: Literal[1]
    providers: list[_Provider]
