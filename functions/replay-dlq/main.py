"""replay-dlq brings dead letters back; see signal_pipeline/roles/replay_dlq.py.

functions-framework --source functions/replay-dlq/main.py --target replay_dlq
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from signal_pipeline.roles.application import application


@functions_framework.aio.http
async def replay_dlq(_: Request) -> ASGIApp:
    """Hand the request to the role's application; the framework calls what it gets back as the answer."""
    return application("replay-dlq")
