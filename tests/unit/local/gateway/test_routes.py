"""Which function a path means at the local gateway."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.gateway.routes import CLIENT_ROUTES, plain_name, target_of
from local.layout import ROOT
from signal_pipeline.topology import ROLES

_TRAEFIK = (ROOT / "deploy" / "traefik" / "routes.yml").read_text()
_ROUTER = re.compile(r"^    ([a-z-]+):\n      rule: (.*)\n(?:.*\n){2}      service: ([a-z-]+)\n", re.MULTILINE)
_NAMES = [role.name for role in ROLES]


def _traefik_routes() -> dict[str, tuple[str, str]]:
    """Return pattern and function of each router of the containers' gateway that leads to a function."""
    found = {}
    for name, rule, service in _ROUTER.findall(_TRAEFIK):
        exact, pattern = re.search(r"\bPath\(`(.*?)`\)", rule), re.search(r"PathRegexp\(`(.*?)`\)", rule)
        assert (exact is None) != (pattern is None), rule
        found[name] = (pattern[1] if pattern else f"^{re.escape(exact[1])}$" if exact else "", service)
    return found


def test_clients_have_the_same_routes_at_both_gateways() -> None:
    """Each router of the containers' gateway has its pattern and its function here, and there are no others."""
    assert _traefik_routes() == CLIENT_ROUTES


@pytest.mark.parametrize(
    ("path", "function", "there"),
    [
        ("/emit", "emit", "/emit"),
        ("/auth/token", "auth", "/auth/token"),
        ("/function/auth/auth/token", "auth", "/auth/token"),
        ("/jobs/1/pause", "replay-dlq", "/jobs/1/pause"),
        ("/function/replay-dlq/dead-letters", "replay-dlq", "/dead-letters"),
        ("/function/emit", "emit", "/emit"),
        ("/function/emit.openfaas-fn", "emit", "/emit"),
        ("/function/emit/", "emit", "/"),
        ("/function/process-signal", "process-signal", "/"),
        ("/function/process-signal.openfaas-fn/purge", "process-signal", "/purge"),
        ("/function/auth/a%2Fb//c/../d", "auth", "/a%2Fb//c/../d"),
    ],
)
def test_a_path_leads_to_a_function(path: str, function: str, there: str) -> None:
    """The prefix and the namespace are cut; what follows arrives as it was written."""
    found = target_of(path)
    assert found is not None
    assert (found.function, found.path, found.is_async) == (function, there, False)


@pytest.mark.parametrize(
    "path", ["/", "/tick", "/purge", "/health", "/metrics", "/emit/", "/function", "/functions/emit"]
)
def test_other_paths_lead_to_none(path: str) -> None:
    """What is internal at a function has no address but the one that names the function."""
    assert target_of(path) is None


@pytest.mark.parametrize("named", ["nothing", "emit.other", "emit.openfaas-fn.openfaas-fn", ".openfaas-fn", "EMIT"])
def test_a_name_that_no_role_has_is_kept_for_the_answer(named: str) -> None:
    """The target says what was asked for, and that it is nothing."""
    found = target_of(f"/function/{named}")
    assert found is not None
    assert (found.function, found.named) == ("", named)


@given(name=st.sampled_from(_NAMES), rest=st.from_regex(r"(/[^\s?#]*)?", fullmatch=True), suffix=st.booleans())
def test_the_queue_has_the_same_functions_and_paths(name: str, rest: str, suffix: bool) -> None:  # noqa: FBT001
    """/async-function means what /function means, and the namespace changes nothing."""
    named = f"{name}.openfaas-fn" if suffix else name
    waiting, queued = target_of(f"/function/{name}{rest}"), target_of(f"/async-function/{named}{rest}")
    assert waiting is not None
    assert queued is not None
    assert queued.is_async
    assert (queued.function, queued.path) == (name, waiting.path)
    assert plain_name(named) == name
