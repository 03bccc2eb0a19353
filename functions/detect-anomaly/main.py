"""detect-anomaly checks signals against the rules; see signal_pipeline/roles/detect_anomaly.py.

functions-framework --source functions/detect-anomaly/main.py --target detect_anomaly
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.types import ASGIApp

from signal_pipeline.roles.application import application


@functions_framework.aio.http
async def detect_anomaly(_: Request) -> ASGIApp:
    """Hand the request to the role's application; the framework calls what it gets back as the answer."""
    return application("detect-anomaly")
