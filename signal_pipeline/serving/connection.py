"""One connection of a client: how much a request may say before its body, and how long the server waits for it.

accepted ──▶ head ──▶ body ──▶ answer ──▶ idle ──▶ head …
   │          │        │         └ the body was not read to its end: drained, up to a bound, so that a client
   │          │        │           who is still sending can read the answer
   │          │        └ too slow: 408; bad chunks: 400
   │          └ too slow: 408; too large: 431; address too long: 414; ambiguous or malformed: 400
   └ too many connections: who has waited longest gives way

Every such answer is a problem, and the connection closes after it: behind a request that could be read in two ways
nothing can be told from the next one.
"""

import asyncio
from enum import Enum, auto
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from signal_pipeline.domain.failures import Failure
from signal_pipeline.observability.logs import get_logger
from signal_pipeline.observability.sampling import Sampling
from signal_pipeline.serving.bounds import FULL, HEADERS_TOO_LARGE, MALFORMED, TOO_SLOW, Bounds, head_fault
from signal_pipeline.serving.crowd import Crowd
from signal_pipeline.serving.refusals import rendered

__all__ = ["Connection"]

_LOG: Final = Sampling()


class _Phase(Enum):
    """What the client is sending."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _Refused(Exception):
    """Leaves the parser, which hides what its callbacks raise; the reason is in the connection."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with bounds.

    Args:
        bounds: What a client may do.
        crowd: The connections of this server.
        options: What uvicorn's server gives.
    """

    def __init__(self, *, bounds: Bounds, crowd: Crowd, **options: Any) -> None:
        super().__init__(**options)
        self._bounds = bounds
        self._crowd = crowd
        self._phase = _Phase.NOTHING
        self._running: RequestResponseCycle | None = None  # the request that is answered; uvicorn's `cycle` is the last
        self._fault: Failure | None = None
        self._head_bytes = 0
        self._received = 0
        self._progress = 0  # what `_received` was when the span began in which more must come
        self._deaf = False  # nothing more is parsed
        self._finishing = False
        self._patience: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(_Lingering(transport, self))  # type: ignore[arg-type]
        self._wire = transport
        if not self._crowd.enter(self):
            self._refuse(FULL)
            return
        self._wait(self._bounds.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._finishing = self._deaf = True
        self._rest()
        if self._unread is not None:
            self._unread.cancel()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Close at once for somebody else's connection."""
        self._wire.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the connection has had its last answer."""
        self._received += len(data)
        if self._deaf:
            self._drain()
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # no other protocol is spoken here; what follows might be one
            self._last_request()
        except httptools.HttpParserError:
            self._refuse(self._fault or MALFORMED)
        else:
            self._look(len(data))

    def _look(self, size: int) -> None:
        """After a piece of input: has the client said enough, too much, or must it go on?"""
        if self._phase is _Phase.HEAD:
            self._head_bytes += size
            if self._head_bytes > self._bounds.head_bytes:
                self._refuse(HEADERS_TOO_LARGE)
                return
        if self._phase is _Phase.BODY:
            if not self._answering:
                self._drain()
            elif self._patience is None:
                self._progress = self._received
                self._wait(self._bounds.body_seconds)
        elif self._patience is None and (self._phase is _Phase.HEAD or not self._answering):
            self._wait(self._bounds.head_seconds)

    @property
    def _answering(self) -> bool:
        """Whether a request is being answered."""
        return self._running is not None and not self._running.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._phase = _Phase.HEAD
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the function on the request."""
        fault = head_fault(self.url, self.headers, self.parser.get_http_version(), self._bounds)
        if fault is not None or len(self.pipeline) >= self._bounds.pipelined:
            self._fault = fault
            raise _Refused
        self._phase = _Phase.BODY
        self._rest()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Have the request whole."""
        self._phase = _Phase.NOTHING
        self._rest()
        self._crowd.works(self)
        super().on_message_complete()
        if not self._answering:  # it was answered before its end, which came after all
            self._crowd.waits(self)

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the end of this one."""
        super().on_response_complete()
        if self._answering:  # the next one, which was already there
            return
        self._crowd.waits(self)
        if self._phase is _Phase.BODY and not self._finishing:
            self._begin_to_drain()

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._bounds.write_seconds, self._wire.abort)

    def resume_writing(self) -> None:
        """Be content: it reads."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def finish(self) -> None:
        """Close after what was written; of a request that is still coming the rest is read, up to a bound."""
        if self._finishing:
            return
        self._finishing = True
        self._deaf = True
        self.flow.resume_reading()
        if self._phase is _Phase.NOTHING:
            self._wait(self._bounds.write_seconds)
            self._wire.close()
            return
        # A close with input unread would send a reset, and the client's system would drop the answer unseen.
        self._begin_to_drain()
        if self._wire.can_write_eof():
            self._wire.write_eof()

    @property
    def finishing(self) -> bool:
        """Whether the last answer was given."""
        return self._finishing

    def _refuse(self, failure: Failure) -> None:
        """Answer what is no request, or too slow, and close."""
        self._note(failure)
        self._deaf = True
        if self._answering:
            if self._phase is not _Phase.BODY:
                self._last_request()  # the request before it is answered first, and nothing else is
                return
            if self.pipeline or self.cycle.response_started:
                self._wire.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._wire.write(rendered(failure))
        self.finish()

    def _note(self, failure: Failure) -> None:
        suppressed = _LOG.due(failure.code)
        if suppressed is not None:
            address = self.client[0] if self.client else ""
            get_logger().warning("connection_refused", code=failure.code, address=address, suppressed=suppressed)

    def _last_request(self) -> None:
        """Close after the answer to the request that runs."""
        self._deaf = True
        self.pipeline.clear()
        if self._running is not None and self._answering:
            self._running.keep_alive = False
        else:
            self.finish()

    def _begin_to_drain(self) -> None:
        self._progress = self._received
        self._rest()
        self._wait(self._bounds.drain_seconds)

    def _drain(self) -> None:
        if self._received - self._progress > self._bounds.drain_bytes:
            self._wire.abort()

    def _wait(self, seconds: float) -> None:
        self._patience = self.loop.call_later(seconds, self._overdue)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _overdue(self) -> None:
        """Lose patience, unless the client is held up by us or has made progress."""
        self._patience = None
        if self._finishing:
            self._wire.abort()
        elif self._phase is _Phase.BODY and not self._answering:
            self._wire.abort()  # its answer was sent long ago
        elif self._answering and (self._phase is not _Phase.BODY or self._has_progressed()):
            self._progress = self._received
            self._wait(self._bounds.body_seconds)
        elif self._phase is _Phase.NOTHING:
            self._wire.close()  # it never began a request
        else:
            self._refuse(TOO_SLOW)

    def _has_progressed(self) -> bool:
        return self.flow.read_paused or self._received - self._progress >= self._bounds.body_bytes


class _Lingering:
    """The transport as uvicorn sees it: its `close` is the connection's `finish`."""

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self.write = transport.write
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.close = connection.finish
        self._transport = transport
        self._connection = connection

    def is_closing(self) -> bool:
        """Tell whether nothing more may be written."""
        return self._connection.finishing or self._transport.is_closing()
