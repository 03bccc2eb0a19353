"""Which function a path means. Pure: a path in, a target out.

What clients call has the same addresses as at the containers' gateway: the patterns are those of
`deploy/traefik/routes.yml`. Behind them comes OpenFaaS' own form, `/function/NAME/…`, which leads to all of a function.
"""

import re
from dataclasses import dataclass
from typing import Final

from signal_pipeline.topology import ROLES

__all__ = ["CLIENT_ROUTES", "NAMESPACE", "Target", "plain_name", "target_of"]

NAMESPACE: Final = "openfaas-fn"
# Router of the containers' gateway: pattern, function. `/function/<name>` before the path is cut.
CLIENT_ROUTES: Final = {
    "emit": (r"^/emit$", "emit"),
    "auth": (r"^(/function/auth)?/auth/[a-z]+$", "auth"),
    "replay-dlq": (
        r"^(/function/replay-dlq)?/(replay|stats|(dead-letters|jobs)(/[0-9A-Za-z:_-]+){0,2})$",
        "replay-dlq",
    ),
    "function-emit": (r"^/function/emit$", "emit"),
}
_WHOLE_PATH: Final = {"function-emit": "/emit"}  # these have another path at the function
_COMPILED: Final = {router: (re.compile(pattern), role) for router, (pattern, role) in CLIENT_ROUTES.items()}
_PREFIX: Final = re.compile(r"^/function/[a-z-]+")
_FUNCTION: Final = re.compile(r"/(function|async-function)/([-a-zA-Z_0-9.]+)(/.*)?", re.DOTALL)
_KNOWN: Final = frozenset(role.name for role in ROLES)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a request goes.

    Attributes:
        function: Name of the function; empty for a name that no role has.
        named: The name as it was asked for.
        path: Path at the function, as it was written.
        is_async: Whether the caller waits for a place in the queue only.
    """

    function: str
    named: str
    path: str
    is_async: bool = False


def target_of(path: str) -> Target | None:
    """Return what a path means; None when it is none of a function.

    Args:
        path: As it stands in the request, still encoded.

    >>> target_of("/function/emit.openfaas-fn/ready")
    Target(function='emit', named='emit.openfaas-fn', path='/ready', is_async=False)
    >>> target_of("/function/emit").path
    '/emit'
    """
    for router, (pattern, role) in _COMPILED.items():
        if pattern.fullmatch(path):
            return Target(function=role, named=role, path=_WHOLE_PATH.get(router) or _PREFIX.sub("", path))
    found = _FUNCTION.fullmatch(path)
    if found is None:
        return None
    kind, named, rest = found.groups()
    name = plain_name(named)
    # The address without a path means the same with and without the namespace.
    rest = rest or _WHOLE_PATH.get(f"function-{name}") or "/"
    return Target(function=name, named=named, path=rest, is_async=kind == "async-function")


def plain_name(named: str) -> str:
    """Return the role that a name with or without the namespace means; empty when there is none."""
    name = named.removesuffix(f".{NAMESPACE}")
    return name if name in _KNOWN else ""
