"""What the gateway lets through, read from its routes: the rules are matched here as Traefik matches them.

Traefik itself is not among what a test can install; that it reads this file, and routes so, was tried by hand with 3.7.
"""

import re

import pytest
import yaml

from local.layout import ROOT

TEXT = (ROOT / "deploy" / "traefik" / "routes.yml").read_text()
COMMAND = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["traefik"]["command"]
ROUTER = re.compile(
    r"^    ([a-z-]+):\n      rule: (.*)\n      entryPoints: (.*)\n(?:      middlewares: \[(.*)\]\n)?", re.MULTILINE
)
ROUTERS = {name: (rule, entry, (chain or "").split(", ")) for name, rule, entry, chain in ROUTER.findall(TEXT)}
PUBLIC = {name for name in ROUTERS if name not in {"dashboard", "to-https"}}


def matches(rule: str, path: str) -> bool:
    """Tell whether a path fulfils one of a rule's matchers of paths."""
    exact = re.findall(r"\bPath\(`([^`]*)`\)", rule)
    patterns = re.findall(r"\bPathRegexp\(`([^`]*)`\)", rule)
    assert exact or patterns, rule
    return path in exact or any(re.search(pattern, path) for pattern in patterns)


def routed(path: str) -> set[str]:
    """Return the public routers that take a path."""
    return {name for name in PUBLIC if matches(ROUTERS[name][0], path)}


@pytest.mark.parametrize(
    ("path", "router"),
    [
        ("/emit", "emit"),
        ("/function/emit", "function-emit"),
        ("/auth/token", "auth"),
        ("/function/auth/auth/refresh", "auth"),
        ("/replay", "replay-dlq"),
        ("/stats", "replay-dlq"),
        ("/jobs", "replay-dlq"),
        ("/jobs/0b9e7c1e-6f0a-4a53-8a8e-0e5f9d3c2b1a/pause", "replay-dlq"),
        ("/dead-letters", "replay-dlq"),
        ("/dead-letters/0b9e7c1e-6f0a-4a53-8a8e-0e5f9d3c2b1a", "replay-dlq"),
        ("/function/replay-dlq/replay", "replay-dlq"),
    ],
)
def test_what_clients_call_is_routed(path: str, router: str) -> None:
    """Each address of the contracts that clients use goes to one function."""
    assert routed(path) == {router}


@pytest.mark.parametrize("prefix", ["", "/function/emit", "/function/replay-dlq", "/function/auth", "/emit", "/replay"])
@pytest.mark.parametrize("path", ["/metrics", "/ready", "/health", "/tick", "/purge", "/openapi.json", "/", "/../tick"])
def test_what_is_internal_is_not_routed(prefix: str, path: str) -> None:
    """Metrics, readiness, documents and what triggers call have no way through, below no prefix either."""
    assert routed(prefix + path) == set()


@pytest.mark.parametrize("role", ["process-signal", "detect-anomaly", "confirm-outbox"])
def test_functions_of_triggers_have_no_route(role: str) -> None:
    """No router and no service leads to what only triggers call."""
    assert routed(f"/function/{role}") == set()
    assert role not in TEXT


def test_every_public_route_passes_the_edge() -> None:
    """Headers, rate and body limit come first on each route; attempts at passwords have a rate of their own."""
    assert re.search(r"edge:\n      chain: \{middlewares: \[headers, rate, body\]\}", TEXT)
    assert {name: ROUTERS[name][2][0] for name in PUBLIC} == dict.fromkeys(PUBLIC, "edge")
    assert "login-rate" in ROUTERS["auth"][2]


def test_the_dashboard_is_public_in_development_only() -> None:
    """With ENVIRONMENT=production it is on the container's own loopback address."""
    assert ROUTERS["dashboard"][1] == "[{{ if $production }}internal{{ else }}internal, web{{ end }}]"
    assert "--entryPoints.internal.address=127.0.0.1:8082" in COMMAND
    assert "--ping.entryPoint=internal" in COMMAND
    assert not any("insecure" in word.lower() for word in COMMAND)


def test_with_tls_the_plain_port_only_redirects() -> None:
    """Every public route is on the one entry that the template chooses, and the redirect takes all of the other."""
    assert {ROUTERS[name][1] for name in PUBLIC} == {"[{{ $entry }}]"}
    assert ROUTERS["to-https"][:2] == ("PathPrefix(`/`)", "[web]")
    assert TEXT.count('{{- template "tls" . }}') == len(PUBLIC)
    assert TEXT.count("minVersion: VersionTLS12") == 2


def test_forwarded_addresses_are_believed_from_named_proxies_only() -> None:
    """Both entries have a list of proxies, which is nobody by default; none believes everyone."""
    trusted = [word for word in COMMAND if "forwardedHeaders" in word]
    assert len(trusted) == 2
    assert all(word.endswith("=${GATEWAY_TRUSTED_PROXIES:-127.0.0.1/32}") for word in trusted)


def test_slow_and_large_requests_end() -> None:
    """Both entries bound the time of reading and the size of headers."""
    for entry in ("web", "websecure"):
        assert f"--entryPoints.{entry}.transport.respondingTimeouts.readTimeout=30s" in COMMAND
        assert f"--entryPoints.{entry}.http.maxHeaderBytes=32768" in COMMAND
