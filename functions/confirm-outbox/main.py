"""confirm-outbox stamps outbox rows that were published; see signal_pipeline/roles/confirm_outbox.py.

functions-framework --source functions/confirm-outbox/main.py --target confirm_outbox
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from signal_pipeline.roles.application import application


@functions_framework.aio.http
async def confirm_outbox(_: Request) -> ASGIApp:
    """Hand the request to the role's application; the framework calls what it gets back as the answer."""
    return application("confirm-outbox")
