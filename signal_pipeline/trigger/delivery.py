"""Posts records to a function and reads its answer. Every way in which that can fail becomes an answer.

Redirects are never followed. A timeout or a broken connection says nothing about the events: they may be stored, and
are delivered again; functions are idempotent.
"""

import ssl
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import aiohttp

from signal_pipeline.domain.failures import FailureClass
from signal_pipeline.domain.retry import retry_after_seconds
from signal_pipeline.events.kafka import KafkaRecord, trace_of
from signal_pipeline.events.kafka_wire import HttpMessage, batch_message, single_message
from signal_pipeline.events.openfaas import connector_message
from signal_pipeline.observability.metrics import DeliveryMetrics
from signal_pipeline.observability.tracing import current_trace, fail_span, span
from signal_pipeline.trigger.manifest import KafkaTrigger
from signal_pipeline.trigger.verdicts import Answer, failed_whole, read_answer, status_behind_gateway

__all__ = ["RETRY_AFTER_CAP_SECONDS", "FunctionClient"]

RETRY_AFTER_CAP_SECONDS: Final = 60.0
_ANSWER_BYTES: Final = 4 * 1024 * 1024  # a 207 that lists every event of a batch of 10,000
# Servers close idle connections after about 5 s; a connection that the client drops first is never found closed.
_KEEPALIVE_SECONDS: Final = 2.0


class FunctionClient:
    """The function as its trigger sees it. Use as an async context manager.

    Args:
        trigger: The manifest.
        metrics: Counters.
        tls: What an https function is checked with; the system's authorities without it.
    """

    def __init__(self, trigger: KafkaTrigger, metrics: DeliveryMetrics, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls or True  # True: the client's own default
        self._trigger = trigger
        self._metrics = metrics
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, keepalive_timeout=_KEEPALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=self._trigger.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def deliver(self, records: Sequence[KafkaRecord], *, batch: bool) -> Answer:
        """Post records and return what became of them; never raises for what the network or the function did.

        Args:
            records: What to deliver, in order; one when `batch` is false.
            batch: Send a CloudEvents batch; else one event in binary mode, or one record in the form of the manifest.
        """
        message = self._message(records, batch=batch)
        # A batch has no id of its own, and a single event travels as a KafkaSource would send it.
        delivery = uuid4().hex if batch else ""
        if delivery:
            message.headers["x-correlation-id"] = delivery
        started = time.perf_counter()
        answer = await self._traced(message, records, batch=batch)
        self._metrics.delivery_latency.observe(time.perf_counter() - started)
        self._metrics.batch_events.observe(len(records))
        return replace(answer, delivery=delivery)

    def _message(self, records: Sequence[KafkaRecord], *, batch: bool) -> HttpMessage:
        wrap, source = self._trigger.wrap_record, self._trigger.source
        if batch:
            return batch_message(records, source=source, wrap_record=wrap)
        if self._trigger.wire == "openfaas":
            return connector_message(records[0])
        return single_message(records[0], source=source, wrap_record=wrap)

    async def _traced(self, message: HttpMessage, records: Sequence[KafkaRecord], *, batch: bool) -> Answer:
        carried: dict[str, str | int] = {"messaging.system": "kafka", "messaging.batch.message_count": len(records)}
        with span(f"deliver {self._trigger.function}", "client", traces=map(trace_of, records), attributes=carried):
            if trace := current_trace():
                message.headers["traceparent"] = trace
            answer = await self._post(message, events=len(records), batch=batch)
            if answer.whole is not None:
                fail_span(answer.whole.code)
            return answer

    async def _post(self, message: HttpMessage, *, events: int, batch: bool) -> Answer:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        try:
            async with self._session.post(
                self._trigger.url,
                data=message.body,
                headers={**message.headers, **self._trigger.credential},
                allow_redirects=False,
            ) as response:
                body = await response.content.read(_ANSWER_BYTES)
                while not response.content.at_eof() and len(body) < _ANSWER_BYTES:
                    body += await response.content.read(_ANSWER_BYTES - len(body))
                asked = retry_after_seconds(
                    response.headers.get("Retry-After"), now=datetime.now(UTC), cap_seconds=RETRY_AFTER_CAP_SECONDS
                )
                status = response.status
                if self._trigger.through_gateway:
                    status = status_behind_gateway(status, body)
                return read_answer(status=status, body=body, events=events, batch=batch, retry_after_seconds=asked)
        except TimeoutError:
            return failed_whole(FailureClass.DEPENDENCY, "timeout", "the function did not answer in time")
        except aiohttp.ClientResponseError as exc:
            return failed_whole(FailureClass.UNEXPECTED, "unreadable_answer", f"not an HTTP answer: {exc.message}")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return failed_whole(FailureClass.ENDPOINT, "invalid_url", "the function's address is not an HTTP URL")
        except (aiohttp.ClientError, OSError) as exc:
            return failed_whole(FailureClass.DEPENDENCY, "connection", f"no answer: {type(exc).__name__}")
