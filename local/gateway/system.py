"""/system: OpenFaaS' provider API, with the statuses that faas-cli understands.

    200  what was asked for            404  no such function
    202  accepted: it is being done    409  deployed already
    400  cannot be done here, and why  422  the query of a log cannot be read
                                       501  secrets cannot be changed here
Errors are text, which faas-cli shows.
"""

import platform
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import orjson
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from local.control import SupervisorGone
from local.gateway.environment import NotDeployable
from local.gateway.functions import Functions
from local.gateway.logs import LogFile, LogQuery, messages
from local.gateway.orders import Deploy, Remove, Scale, SystemRefusal
from local.gateway.routes import NAMESPACE, plain_name
from local.supervisor import Refused
from signal_pipeline import __version__
from signal_pipeline.observability.metrics.gateway import GatewayMetrics
from signal_pipeline.secret_strength import DEVELOPMENT_SECRETS
from signal_pipeline.settings import Settings

__all__ = ["system_app"]

_MOST_BYTES: Final = 1024**2  # of an order: a deployment has some hundred variables at most
_Order = TypeVar("_Order", bound=BaseModel)
_Endpoint = Callable[[Request], Awaitable[Response]]


def system_app(functions: Functions, metrics: GatewayMetrics, settings: Settings) -> Starlette:
    """Return the application below /system, and /metrics.

    Args:
        functions: What it shows and changes.
        metrics: What /metrics shows.
        settings: What it says of itself.
    """
    system = _System(functions, metrics, settings)
    routes = [
        ("/system/functions", system.list, ["GET"]),
        ("/system/functions", system.create, ["POST"]),
        ("/system/functions", system.update, ["PUT"]),
        ("/system/functions", system.remove, ["DELETE"]),
        ("/system/function/{name}", system.describe, ["GET"]),
        ("/system/scale-function/{name}", system.scale, ["POST"]),
        ("/system/logs", system.logs, ["GET"]),
        ("/system/info", system.info, ["GET"]),
        ("/system/namespaces", system.namespaces, ["GET"]),
        ("/system/secrets", system.secrets, ["GET"]),
        ("/system/secrets", system.no_secret, ["POST", "PUT", "DELETE"]),
        ("/metrics", system.metrics, ["GET"]),
    ]
    return Starlette(
        routes=[Route(path, _told(endpoint), methods=methods) for path, endpoint, methods in routes],
        exception_handlers={404: _no_such_page},
    )


class _System:
    def __init__(self, functions: Functions, metrics: GatewayMetrics, settings: Settings) -> None:
        self._functions = functions
        self._metrics = metrics
        self._settings = settings

    async def list(self, request: Request) -> Response:
        _check_namespace(request.query_params.get("namespace"))
        return _json(await self._functions.statuses())

    async def describe(self, request: Request) -> Response:
        _check_namespace(request.query_params.get("namespace"))
        name = self._known(request.path_params["name"])
        usage = request.query_params.get("usage", "") in {"1", "true"}
        found = [each for each in await self._functions.statuses(usage=usage) if each["name"] == name]
        if not found:  # removed meanwhile
            raise SystemRefusal(404, f"function {name} not found")
        return _json(found[0])

    async def create(self, request: Request) -> Response:
        order = await _order(request, Deploy)
        name = order.role()
        if self._functions.is_deployed(name):
            raise SystemRefusal(409, f"{name} is deployed already; update it with PUT")
        return await self._deploy(name, order)

    async def update(self, request: Request) -> Response:
        order = await _order(request, Deploy)
        return await self._deploy(self._known(order.service), order)

    async def _deploy(self, name: str, order: Deploy) -> Response:
        await self._functions.deploy(name, order.deployment())
        return Response(status_code=202)

    async def remove(self, request: Request) -> Response:
        order = await _order(request, Remove)
        _check_namespace(request.query_params.get("namespace") or order.namespace)
        await self._functions.remove(self._known(order.function_name))
        return Response(status_code=202)

    async def scale(self, request: Request) -> Response:
        order = await _order(request, Scale)
        _check_namespace(request.query_params.get("namespace") or order.namespace)
        name = self._known(request.path_params["name"])
        if order.replicas > 1:
            raise SystemRefusal(400, f"{name} has one process here: replicas is 0 or 1")
        await self._functions.scale(name, order.replicas)
        return Response(status_code=202)

    async def logs(self, request: Request) -> Response:
        _check_namespace(request.query_params.get("namespace"))
        try:
            query = LogQuery.of(request.query_params)
        except (ValueError, OverflowError) as exc:
            raise SystemRefusal(422, f"could not parse the log request: {exc}") from exc
        name = self._known(query.name)
        log = LogFile(self._functions.log_of(name))
        lines = messages(log, query, name=name)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def info(self, _: Request) -> Response:
        version = {"release": __version__, "sha": self._settings.build}
        provider = {"provider": "signal-pipeline", "orchestration": "local processes", "version": version}
        return _json({"arch": platform.machine(), "provider": provider, "version": version})

    async def namespaces(self, _: Request) -> Response:
        return _json([NAMESPACE])

    async def secrets(self, request: Request) -> Response:
        _check_namespace(request.query_params.get("namespace"))
        names = sorted(name.replace("_", "-") for name in DEVELOPMENT_SECRETS)
        return _json([{"name": name, "namespace": NAMESPACE} for name in names])

    async def no_secret(self, _: Request) -> Response:
        raise SystemRefusal(501, "secrets are settings here: put them into .env, or start with `make up SECURE=1`")

    async def metrics(self, _: Request) -> Response:
        await self._functions.count_replicas()
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    def _known(self, named: str) -> str:
        name = plain_name(named)
        if not self._functions.is_deployed(name):
            raise SystemRefusal(404, f"function {named[:100]} not found")
        return name


def _told(endpoint: _Endpoint) -> _Endpoint:
    """Return an endpoint whose refusals are answers."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except SystemRefusal as exc:
            return _text(exc.status, str(exc))
        except NotDeployable as exc:
            return _text(400, str(exc))
        except SupervisorGone as exc:
            return _text(503, str(exc))
        except Refused as exc:
            return _text(500, str(exc))

    return answered


async def _order(request: Request, kind: type[_Order]) -> _Order:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise SystemRefusal(413, f"an order has at most {_MOST_BYTES} bytes")
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as exc:
        told = (f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in exc.errors())
        raise SystemRefusal(400, "; ".join(told)) from exc


def _check_namespace(namespace: str | None) -> None:
    if namespace not in {None, "", NAMESPACE}:
        raise SystemRefusal(400, "namespace not valid")


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _text(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)


async def _no_such_page(_: Request, __: Exception) -> Response:
    return _text(404, "404 page not found")
