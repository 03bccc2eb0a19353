"""auth as a Knative function, which func builds; see signal_pipeline/serving/func_adapter.py."""

from signal_pipeline.roles.application import application
from signal_pipeline.serving.func_adapter import FuncInstance

__all__ = ["new"]


def new() -> FuncInstance:
    """Return the one function of this process."""
    return FuncInstance(application("auth"))
