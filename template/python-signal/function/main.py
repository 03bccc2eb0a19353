"""A function of your own: takes CloudEvents, one or a batch, and answers with a verdict for each.

functions-framework --source main.py --target handle

A trigger, or the Kafka connector, calls it for every record of a topic and believes its answer: an event without a
failure is committed, so answer only once its effect is durable. Events come more than once; make that harmless.
Everybody who reaches the gateway reaches it: check a credential of yours where that matters.
"""

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from signal_pipeline.domain.failures import Failure, FailureClass
from signal_pipeline.errors import PipelineError
from signal_pipeline.events.envelope import CloudEvent
from signal_pipeline.events.http import decode_request
from signal_pipeline.serving.answers import problem_response_of, verdict_response
from signal_pipeline.serving.body import read_body

MOST_BYTES = 4 * 1024 * 1024


async def store(event: CloudEvent) -> Failure | None:
    """Make an event's effect durable. Return None for success, a failure of a class for what should happen instead."""
    if event.type != "example":
        return Failure(
            failure_class=FailureClass.INVALID, code="unknown_type", detail="this takes events of the type example"
        )
    return None


@functions_framework.aio.http
async def handle(request: Request) -> Response:
    """Answer one request."""
    try:
        received = decode_request(request.headers.items(), await read_body(request, MOST_BYTES))
    except PipelineError as exc:
        return problem_response_of(exc)
    verdicts = [await store(one) if isinstance(one, CloudEvent) else one.failure for one in received.events]
    return verdict_response(received, verdicts)
