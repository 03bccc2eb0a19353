"""auth issues and verifies tokens; see signal_pipeline/roles/auth.py.

functions-framework --source functions/auth/main.py --target auth
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from signal_pipeline.roles.application import application


@functions_framework.aio.http
async def auth(_: Request) -> ASGIApp:
    """Hand the request to the role's application; the framework calls what it gets back as the answer."""
    return application("auth")
