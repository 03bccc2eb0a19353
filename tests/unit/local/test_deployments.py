"""What was deployed through the gateway, written down."""

import json
from pathlib import Path

import pytest

from local.deployments import Deployment, Deployments, Resources
from local.layout import Layout
from local.service import Unusable


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty state folder."""
    return Layout(state=tmp_path)


def test_without_a_deployment_a_role_is_as_the_checkout_has_it(layout: Layout) -> None:
    """Nothing is removed, and no process gets a variable."""
    deployments = Deployments(layout)
    assert (deployments.removed_services(), deployments.environment("emit")) == (set(), {})
    assert deployments.of("emit") == Deployment()


def test_what_was_deployed_outlives_the_process(layout: Layout) -> None:
    """Another reader finds all of it; other roles are untouched."""
    written = Deployment(
        image="signal-pipeline:1", env_vars={"A": "1", "LOG_LEVEL": "debug"}, applied={"LOG_LEVEL": "debug"},
        not_applied=("A",), labels={"team": "x"}, annotations={"topic": "t"}, limits=Resources(memory="128Mi"),
    )  # fmt: skip
    Deployments(layout).write("auth", Deployment(image="other"))
    Deployments(layout).write("emit", written)
    assert Deployments(layout).of("emit") == written
    assert Deployments(layout).of("auth").image == "other"
    assert Deployments(layout).environment("emit") == {"LOG_LEVEL": "debug"}


def test_a_removed_function_takes_its_trigger_with_it(layout: Layout) -> None:
    """The role auth has none; a name that is no role, of another version of this program, stops nothing."""
    for name in ("auth", "emit", "gone"):
        Deployments(layout).write(name, Deployment(removed=True))
    assert Deployments(layout).removed_services() == {"auth", "emit", "emit-trigger"}


def test_to_forget_is_to_be_as_before(layout: Layout) -> None:
    """Also when there is nothing to forget."""
    Deployments(layout).write("emit", Deployment(removed=True))
    Deployments(layout).forget()
    Deployments(layout).forget()
    assert Deployments(layout).removed_services() == set()


@pytest.mark.parametrize("text", ["", "[]", json.dumps({"emit": {"removed": "perhaps"}})])
def test_a_damaged_file_is_named(layout: Layout, text: str) -> None:
    """To guess could start what somebody removed."""
    (layout.state / "deployments.json").write_text(text)
    with pytest.raises(Unusable, match=r"deployments\.json cannot be understood; remove it"):
        Deployments(layout).removed_services()
