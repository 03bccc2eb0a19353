"""The beginning and the end of a served application, as ASGI servers ask for them."""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Send

from signal_pipeline.errors import ConfigurationError

__all__ = ["live"]

Step = Callable[[], Awaitable[None]]


async def live(receive: Receive, send: Send, *, begin: Step, end: Step) -> None:
    """Answer a server's lifespan: begin, wait for its end, end.

    Args:
        receive: The server's questions.
        send: The answers.
        begin: Makes clients; a `ConfigurationError` stops the server, which logs its message.
        end: Closes them.
    """
    await receive()
    try:
        await begin()
    except ConfigurationError as exc:
        await send({"type": "lifespan.startup.failed", "message": str(exc)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await end()
    await send({"type": "lifespan.shutdown.complete"})
