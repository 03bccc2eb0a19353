"""What was deployed through the gateway: `STATE_DIR/deployments.json`. The gateway writes it, the supervisor reads it.

    faas-cli deploy ──▶ gateway ──writes──▶ deployments.json ──read at each start of a process──▶ supervisor
    faas-cli remove ──▶

A role that is not in the file is deployed as the checkout has it.
"""

import os

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from local.layout import Layout
from local.service import Unusable
from signal_pipeline.topology import ROLES, role_named

__all__ = ["Deployment", "Deployments", "Description", "Resources"]


class Resources(BaseModel):
    """Memory and CPU as OpenFaaS writes them, such as `128Mi` and `100m`; here they are shown, not enforced."""

    model_config = ConfigDict(frozen=True)

    memory: str = ""
    cpu: str = ""


class Description(BaseModel):
    """A function as whoever deploys it describes it.

    Attributes:
        image: Image that was named; the code is the checkout's.
        env_process: OpenFaaS' `fprocess`; shown only.
        env_vars: All variables that were given.
        constraints: Shown only.
        secrets: Names; shown only.
        labels: Shown only.
        annotations: Shown only.
        limits: Shown only.
        requests: Shown only.
        read_only_root_filesystem: Shown only.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    image: str = ""
    env_process: str = ""
    env_vars: dict[str, str] = {}
    constraints: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    limits: Resources | None = None
    requests: Resources | None = None
    read_only_root_filesystem: bool = False


class Deployment(Description):
    """One function as it was deployed.

    Attributes:
        removed: Neither the function nor its trigger is to run.
        applied: Those of its variables that the process gets.
        not_applied: Names of the others: this machine decides them.
    """

    model_config = ConfigDict(populate_by_name=True)

    removed: bool = False
    applied: dict[str, str] = {}
    not_applied: tuple[str, ...] = ()


_FILE: TypeAdapter[dict[str, Deployment]] = TypeAdapter(dict[str, Deployment])


class Deployments:
    """The deployments of one pipeline, as the file says at every question.

    Args:
        layout: Whose state folder holds the file.

    Raises:
        Unusable: by every method, when the file cannot be understood.
    """

    def __init__(self, layout: Layout) -> None:
        self._path = layout.state / "deployments.json"
        self._parsed: tuple[tuple[int, int], dict[str, Deployment]] | None = None

    def of(self, role: str) -> Deployment:
        """Return a role's deployment."""
        return self._read().get(role, Deployment())

    def write(self, role: str, deployment: Deployment) -> None:
        """Remember a role's deployment; on disk when this returns."""
        partial = self._path.with_suffix(".tmp")
        with partial.open("wb") as file:
            file.write(_FILE.dump_json({**self._read(), role: deployment}, indent=1, by_alias=True))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)

    def environment(self, role: str) -> dict[str, str]:
        """Return the variables that the next process of a function gets."""
        return dict(self.of(role).applied)

    def removed_services(self) -> set[str]:
        """Return the services that are not to run: removed functions with their triggers."""
        known = {role.name for role in ROLES}
        removed = {name for name, deployment in self._read().items() if deployment.removed and name in known}
        return removed | {f"{name}-trigger" for name in removed if role_named(name).trigger_port is not None}

    def forget(self) -> None:
        """Return to what the checkout has."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Deployment]:
        """Return what the file says; each version of it, which is a file of its own, is parsed once."""
        try:
            found = self._path.stat()
            version = (found.st_ino, found.st_mtime_ns)
            if self._parsed is None or self._parsed[0] != version:
                self._parsed = (version, _FILE.validate_json(self._path.read_bytes()))
            return self._parsed[1]
        except FileNotFoundError:
            return {}
        except ValidationError as exc:
            raise Unusable(f"{self._path} cannot be understood; remove it, and what was deployed is forgotten") from exc
