"""process-signal stores signals in PostgreSQL; see signal_pipeline/roles/process_signal.py.

functions-framework --source functions/process-signal/main.py --target process_signal
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from signal_pipeline.roles.application import application


@functions_framework.aio.http
async def process_signal(_: Request) -> ASGIApp:
    """Hand the request to the role's application; the framework calls what it gets back as the answer."""
    return application("process-signal")
