"""Reads a request's body up to a limit, so that an oversized one is refused while it arrives."""

from starlette.requests import ClientDisconnect, Request

from signal_pipeline.errors import InvalidEvent, PayloadTooLarge

__all__ = ["read_body"]


async def read_body(request: Request, limit: int) -> bytes:
    """Return the whole body.

    Args:
        request: The request; its body has not been read.
        limit: Largest size in bytes.

    Raises:
        PayloadTooLarge: by the announced length before a byte is read, or as soon as more than `limit` came.
        InvalidEvent: the client went away in the middle.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:20]) > limit:
        raise PayloadTooLarge(f"the body is over {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise PayloadTooLarge(f"the body is over {limit} bytes")
            chunks.append(chunk)
    except ClientDisconnect as exc:
        raise InvalidEvent("the body ended early", code="incomplete_body") from exc
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
