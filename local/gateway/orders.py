"""The bodies of /system's requests, as faas-cli and OpenFaaS' SDK send them.

A null means what a missing field means; unknown fields are ignored, as at OpenFaaS.
"""

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from local.deployments import Deployment, Description
from local.gateway.environment import sorted_out
from local.gateway.routes import NAMESPACE, plain_name
from signal_pipeline.topology import ROLES

__all__ = ["Deploy", "Remove", "Scale", "SystemRefusal"]

# The code is the checkout's whatever the image is called; an image of another program would be something else.
_IMAGE: Final = re.compile(
    r"(?:[\w.:-]+/)*signal-pipeline(?:/[\w.-]+)?(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?", re.ASCII
)
_MOST_REPLICAS: Final = 2**64 - 1


class SystemRefusal(Exception):
    """A request of /system that is refused.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Order(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True)

    namespace: str = ""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return _present(value)


def _present(value: Any) -> Any:
    """Return a JSON value without the nulls in its objects."""
    if not isinstance(value, dict):
        return value
    return {name: _present(each) for name, each in value.items() if each is not None}


class Deploy(_Order, Description):
    """A function to deploy.

    Attributes:
        service: Name of the function.
    """

    service: str

    def role(self) -> str:
        """Return the role that is meant; `SystemRefusal` when it is none."""
        name = plain_name(self.service)
        if not name:
            known = ", ".join(role.name for role in ROLES)
            raise SystemRefusal(400, f"{self.service[:100]} is no function of this pipeline; there are {known}")
        return name

    def deployment(self) -> Deployment:
        """Return what is to be remembered.

        Raises:
            SystemRefusal: the namespace or the image is not one of here.
            NotDeployable: a variable is not one of here.
        """
        if self.namespace not in {"", NAMESPACE}:
            raise SystemRefusal(400, "namespace not valid")
        if not _IMAGE.fullmatch(self.image):
            raise SystemRefusal(
                400, "no other image can be run here: it is …/signal-pipeline or …/signal-pipeline/<name>"
            )
        applied, not_applied = sorted_out(self.env_vars)
        told = self.model_dump(exclude={"service", "namespace"})
        return Deployment(**told, applied=applied, not_applied=not_applied)


class Remove(_Order):
    """A function to remove.

    Attributes:
        function_name: Its name.
    """

    function_name: str


class Scale(_Order):
    """How many processes a function is to have.

    Attributes:
        service_name: Its name, which the path says too.
        replicas: How many.
    """

    service_name: str = ""
    replicas: Annotated[int, Field(ge=0, le=_MOST_REPLICAS)]
