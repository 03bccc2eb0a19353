"""The API of the gateway, with the statuses that faas-cli understands."""

import asyncio
import json
from contextlib import suppress

import aiohttp
import pytest

from local.deployments import Deployments
from tests.integration.gateway.site import DEADLINE, Site, echo

ORDER = {"service": "auth", "image": "signal-pipeline:local"}


async def test_deploy_writes_down_and_restarts(site: Site) -> None:
    """An update restarts the function; a creation after a removal starts it (auth has no trigger to start)."""
    assert (await site.call("PUT", "/system/functions", json={**ORDER, "envVars": {"LOG_LEVEL": "debug"}}))[0] == 202
    assert Deployments(site.layout).environment("auth") == {"LOG_LEVEL": "debug"}
    assert (await site.call("POST", "/system/functions", json=ORDER))[0] == 409
    assert (await site.call("DELETE", "/system/functions", json={"functionName": "auth"}))[0] == 202
    assert Deployments(site.layout).removed_services() == {"auth"}
    assert (await site.call("PUT", "/system/functions", json=ORDER))[0] == 404
    assert (await site.call("POST", "/system/functions", json=ORDER))[0] == 202
    assert site.commands == ["restart auth", "stop auth", "start auth"]


async def test_a_trigger_stops_before_its_function_and_starts_after_it(site: Site) -> None:
    """No event is delivered to what is going away."""
    order = {"service": "emit", "image": "signal-pipeline"}
    await site.call("DELETE", "/system/functions", json={"functionName": "emit"})
    await site.call("POST", "/system/functions", json=order)
    assert site.commands == ["stop emit-trigger", "stop emit", "start emit", "start emit-trigger"]


async def test_a_function_that_does_not_come_up_was_deployed_all_the_same(site: Site) -> None:
    """202 means accepted, as on a platform: list shows that it is not available."""
    site.refusal, site.states["auth"] = "auth did not start", "backoff"
    assert (await site.call("PUT", "/system/functions", json=ORDER))[0] == 202
    _, _, body = await site.call("GET", "/system/function/auth")
    assert (json.loads(body)["replicas"], json.loads(body).get("availableReplicas", 0)) == (1, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/system/functions", b"{", 400),
        ("PUT", "/system/functions", b"[]", 400),
        ("DELETE", "/system/functions", b"{}", 400),
        ("DELETE", "/system/functions", b'{"functionName": "figlet"}', 404),
        ("POST", "/system/functions", b" " * (1024**2 + 1), 413),
        ("POST", "/system/scale-function/auth", b'{"replicas": 2}', 400),
        ("POST", "/system/scale-function/figlet", b'{"replicas": 1}', 404),
        ("GET", "/system/functions?namespace=other", None, 400),
        ("GET", "/system/function/auth?namespace=other", None, 400),
        ("GET", "/system/function/auth?namespace=", None, 200),
        ("GET", "/system/function/figlet", None, 404),
        ("GET", "/system/logs", None, 422),
        ("GET", "/system/logs?name=auth&since=x", None, 422),
        ("GET", "/system/logs?name=figlet", None, 404),
        ("POST", "/system/secrets", b'{"name": "a"}', 501),
        ("PATCH", "/system/functions", None, 405),
        ("GET", "/system/telemetry", None, 404),
        ("GET", "/ui/", None, 404),
        ("GET", "/tick", None, 404),
        ("POST", "/function/figlet", None, 404),
        ("TRACE", "/function/auth", None, 405),
    ],
)
async def test_each_refusal_has_its_status(site: Site, method: str, path: str, body: bytes | None, status: int) -> None:
    """And faas-cli shows its text; nothing was told to the supervisor."""
    found, _, text = await site.call(method, path, data=body)
    assert (found, site.commands) == (status, [])
    assert text


async def test_without_a_supervisor_functions_are_still_called(site: Site) -> None:
    """Only what it alone knows is not known."""
    site.answering = echo
    (site.layout.run / "control.sock").unlink()
    assert (await site.call("GET", "/function/auth"))[0] == 207
    status, _, body = await site.call("GET", "/system/functions")
    assert (status, b"make up" in body) == (503, True)


async def test_a_follower_that_leaves_is_forgotten(site: Site) -> None:
    """Lines come as they are written; afterwards the gateway answers others as before."""
    log = site.layout.logs / "auth.log"
    log.write_text("one\n")
    assert site.client is not None
    async with asyncio.timeout(DEADLINE), site.client.get(site.url + "/system/logs?name=auth&follow=true") as answer:
        assert json.loads(await answer.content.readline())["text"] == "one"
        with log.open("a") as written:
            written.write("two\n")
        assert json.loads(await answer.content.readline())["text"] == "two"
    with suppress(aiohttp.ClientError):
        assert (await site.call("GET", "/healthz"))[::2] == (200, b"OK")
