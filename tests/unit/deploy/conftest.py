"""Rendered overlays and components."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import FOLDER, component, render

Documents = tuple[dict[str, Any], ...]


@pytest.fixture(scope="session")
def dev() -> Documents:
    """What `kubectl apply -k deploy/knative/overlays/dev` applies."""
    return render(FOLDER / "overlays" / "dev")


@pytest.fixture(scope="session")
def production() -> Documents:
    """What the production overlay applies."""
    return render(FOLDER / "overlays" / "production")


@pytest.fixture
def batch_sources(tmp_path: Path) -> Documents:
    """The base with our trigger as the container of sources."""
    return component("batch-sources", tmp_path)


@pytest.fixture
def batch_triggers(tmp_path: Path) -> Documents:
    """The base with our trigger as Deployments."""
    return component("batch-triggers", tmp_path)
