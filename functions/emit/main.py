"""emit takes signals over HTTP and publishes them; see signal_pipeline/roles/emit.py.

functions-framework --source functions/emit/main.py --target emit
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from signal_pipeline.roles.application import application


@functions_framework.aio.http
async def emit(_: Request) -> ASGIApp:
    """Hand the request to the role's application; the framework calls what it gets back as the answer."""
    return application("emit")
