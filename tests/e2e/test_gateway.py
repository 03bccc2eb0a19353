"""faas-cli's commands against the gateway of a running pipeline, in the order of a function's life."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from local import control
from local.layout import Layout
from signal_pipeline import __version__
from signal_pipeline.topology import ROLES
from tests.support.faas_client import FaasClient
from tests.support.pipeline import Pipeline
from tests.support.waiting import wait_for

# One that nothing else in the session calls, and whose trigger others can do without for a while.
NAME = "confirm-outbox"
IMAGE = f"localhost:5000/signal-pipeline/{NAME}:{__version__}"
_SECONDS = 30


@pytest.fixture(scope="module")
def faas(pipeline: Pipeline) -> Iterator[FaasClient]:
    """A client; afterwards the function is as it was."""
    client = FaasClient.of(pipeline)
    yield client
    client.deploy(NAME, IMAGE)
    wait_for(lambda: _status(client).get("availableReplicas"), seconds=60, what="the function's return")
    (pipeline.state / "deployments.json").unlink()


def _status(client: FaasClient) -> dict[str, Any]:
    answer = client.describe(NAME)
    return answer.json if answer.status == 200 else {}


def _states(pipeline: Pipeline) -> dict[str, str]:
    """Return the states of the function and its trigger, as `make status` shows them."""
    found = {each["service"]: each for each in control.request(Layout.of(pipeline.settings.state_dir), "status")}
    return {name: _shown(found[name]) for name in (NAME, f"{NAME}-trigger")}


def _shown(snapshot: dict[str, Any]) -> str:
    return "off" if snapshot["switched_off"] else str(snapshot["state"])


def _answers(client: FaasClient) -> bool:
    try:
        return client.get("/healthz").status == 200
    except OSError:
        return False


def _pid(pipeline: Pipeline) -> int:
    return pipeline.pids()[NAME]


def test_the_gateway_says_who_it_is(faas: FaasClient) -> None:
    """`ready`, `version`, `namespaces` and `secret list` have what they ask for."""
    assert (faas.get("/healthz").status, faas.get("/healthz").body) == (200, b"OK")
    info = faas.get("/system/info").json
    assert info["provider"]["provider"] == "signal-pipeline"
    assert info["version"]["release"] == __version__
    assert faas.get("/system/namespaces").json == ["openfaas-fn"]
    assert {"name": "jwt-secret-key", "namespace": "openfaas-fn"} in faas.get("/system/secrets").json


def test_list_and_describe_show_each_role(faas: FaasClient) -> None:
    """All six run; those that a topic calls say which."""
    found = {each["name"]: each for each in faas.list().json}
    assert list(found) == [role.name for role in ROLES]
    assert {(each["replicas"], each["availableReplicas"], each["namespace"]) for each in found.values()} == {
        (1, 1, "openfaas-fn")
    }
    assert {name: each["annotations"]["topic"] for name, each in found.items() if "annotations" in each} == {
        "process-signal": "signal-events",
        "detect-anomaly": "signal-events",
        "replay-dlq": "signal-events-dlq",
        "confirm-outbox": "anomaly-events",
    }
    described = faas.describe(NAME).json
    assert described.pop("usage")["totalMemoryBytes"] > 1_000_000
    assert described == found[NAME]
    assert faas.describe("figlet").status == 404


def test_invoke_reaches_the_function_and_is_counted(pipeline: Pipeline, faas: FaasClient) -> None:
    """Body, type, headers and query arrive; the answer is the function's own; list counts it."""
    before = _status(faas).get("invocationCount", 0)
    key = {"X-API-Key": pipeline.settings.emit_api_key.get_secret_value()}
    accepted = faas.invoke("emit", b'{"count": 2}', content_type="application/json", headers=key)
    assert (accepted.status, accepted.json["accepted"]) == (202, 2)
    health = faas.invoke(NAME, method="GET", query="a=b")
    assert health.status in {401, 404, 405}
    assert health.headers["x-call-id"]
    assert _status(faas)["invocationCount"] == before + 1
    unknown = faas.invoke("figlet", b"x")
    assert (unknown.status, unknown.body) == (404, b"error finding function figlet.openfaas-fn\n")


def test_deploy_gives_the_process_new_variables(pipeline: Pipeline, faas: FaasClient) -> None:
    """An update is a PUT that is accepted; the new process has the variables, and describe shows them."""
    before = _pid(pipeline)
    order = {"envVars": {"LOG_LEVEL": "debug", "PORT": "8080"}, "labels": {"team": "a"}}
    assert [answer.status for answer in faas.deploy(NAME, IMAGE, **order)] == [202]
    status = wait_for(
        lambda: found if (found := _status(faas)).get("availableReplicas") else None,
        seconds=_SECONDS,
        what="the update",
    )
    assert status["envVars"] == order["envVars"]
    assert status["labels"]["team"] == "a"
    assert status["annotations"] == {"topic": "anomaly-events", "local.signal-pipeline.dev/not-applied": "PORT"}
    after = _pid(pipeline)
    assert after != before
    with open(f"/proc/{after}/environ", "rb") as environ:  # noqa: PTH123
        variables = environ.read().split(b"\0")
    assert b"LOG_LEVEL=debug" in variables
    assert b"PORT=8080" not in variables


@pytest.mark.parametrize(
    ("order", "statuses", "told"),
    [
        ({"name": NAME, "image": "figlet:latest"}, [400], "no other image"),
        ({"name": "figlet", "image": IMAGE}, [404, 400], "figlet is no function of this pipeline"),
        (
            {"name": NAME, "image": IMAGE, "envVars": {"STATE_DIR": "x"}},
            [400],
            "STATE_DIR belongs to the whole pipeline",
        ),
        ({"name": NAME, "image": IMAGE, "envVars": {"JWT_SECRET_KEY": "x"}}, [400], "JWT_SECRET_KEY is a secret"),
        ({"name": NAME, "image": IMAGE, "envVars": {"BATCH_SIZE": "x"}}, [400], "BATCH_SIZE"),
        ({"name": NAME, "image": IMAGE, "namespace": "other"}, [400], "namespace not valid"),
    ],
)
def test_what_cannot_be_deployed_changes_nothing(
    pipeline: Pipeline, faas: FaasClient, order: dict[str, Any], statuses: list[int], told: str
) -> None:
    """faas-cli shows the reason; the process goes on with what it had."""
    before, deployed = _pid(pipeline), _status(faas)
    answers = faas.deploy(**order)
    assert [answer.status for answer in answers] == statuses
    assert told in answers[-1].body.decode()
    assert (_pid(pipeline), _status(faas)["envVars"]) == (before, deployed["envVars"])


def test_logs_are_told_and_followed(pipeline: Pipeline, faas: FaasClient) -> None:
    """The last lines are those of the file; a follower gets what the next process writes, until it leaves."""
    text = (pipeline.state / "logs" / f"{NAME}.log").read_text().splitlines()
    told = list(faas.logs(NAME, tail=2))
    assert [line["text"] for line in told] == text[-2:]
    assert {(line["name"], line["namespace"], line["instance"]) for line in told} == {(NAME, "openfaas-fn", NAME)}
    followed = faas.logs(NAME, tail=1, follow="true")
    assert next(followed)["text"] == text[-1]
    pipeline.local("restart", NAME)
    assert any("function_started" in line["text"] for line in followed)
    followed.close()


class _Callback(BaseHTTPRequestHandler):
    """Keeps what was posted to it."""

    got: ClassVar[list[dict[str, str]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0)) if "Content-Length" in self.headers else None
        self.got.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


def test_an_asynchronous_call_is_accepted_and_reported(faas: FaasClient) -> None:
    """202 at once with the call's id; the callback gets it with status, name and duration."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        callback = {"X-Callback-Url": f"http://127.0.0.1:{server.server_port}/done"}
        accepted = faas.invoke("auth", b"x", headers=callback, asynchronous=True)
        assert (accepted.status, accepted.body) == (202, b"")
        (got,) = wait_for(lambda: list(_Callback.got), seconds=_SECONDS, what="the callback")
    finally:
        server.shutdown()
        server.server_close()
    assert got["x-call-id"] == accepted.headers["x-call-id"]
    assert got["x-function-name"] == "auth.openfaas-fn"
    assert got["x-function-status"] in {"401", "404", "405"}
    assert float(got["x-duration-seconds"]) > 0


def test_scale_to_nothing_and_back(pipeline: Pipeline, faas: FaasClient) -> None:
    """At 0 a call finds no endpoint, and the trigger waits; at 1 both go on; there is no 2."""
    assert faas.scale(NAME, 0).status == 202
    assert "replicas" not in _status(faas)
    down = faas.invoke(NAME, b"x")
    assert (down.status, down.body) == (503, f"No endpoints available for: {NAME}.\n".encode())
    assert _states(pipeline) == {NAME: "stopped", f"{NAME}-trigger": "ready"}
    assert faas.scale(NAME, 2).status == 400
    assert faas.scale(NAME, 1).status == 202
    assert _status(faas)["availableReplicas"] == 1


def test_a_removed_function_stays_away_until_it_is_deployed_again(pipeline: Pipeline, faas: FaasClient) -> None:
    """Function and trigger stop; `make up` does not bring them back, faas-cli deploy does, by its second request."""
    assert faas.remove(NAME).status == 202
    assert NAME not in [each["name"] for each in faas.list().json]
    assert (faas.remove(NAME).status, faas.describe(NAME).status, faas.invoke(NAME).status) == (404, 404, 404)
    assert _states(pipeline) == {NAME: "off", f"{NAME}-trigger": "off"}
    assert "it runs already" in pipeline.local("up")
    assert _states(pipeline) == {NAME: "off", f"{NAME}-trigger": "off"}
    assert pipeline.run("-m", "local", "start", NAME).returncode == 1
    assert [answer.status for answer in faas.deploy(NAME, IMAGE)] == [404, 202]
    wait_for(lambda: set(_states(pipeline).values()) == {"ready"}, seconds=_SECONDS, what="the function's return")
    assert "envVars" not in _status(faas), "what was removed is forgotten"


def test_the_gateway_counts_what_it_did(faas: FaasClient) -> None:
    """The page has the names and labels of OpenFaaS' own."""
    page = faas.get("/metrics").body.decode()
    assert f'gateway_function_invocation_total{{code="503",function_name="{NAME}.openfaas-fn"}} 1.0\n' in page
    assert f'gateway_service_count{{function_name="{NAME}.openfaas-fn"}} 1.0' in page
    assert "gateway_functions_seconds_bucket{" in page


def test_a_gateway_that_was_killed_comes_back_with_what_was_deployed(pipeline: Pipeline, faas: FaasClient) -> None:
    """The functions do not notice; a client finds the same deployments."""
    assert [answer.status for answer in faas.deploy(NAME, IMAGE, labels={"kept": "yes"})] == [202]
    before = _pid(pipeline)
    gateway = pipeline.pids()["gateway"]
    os.kill(gateway, signal.SIGKILL)
    wait_for(lambda: pipeline.pids()["gateway"] != gateway and _answers(faas), seconds=_SECONDS, what="the restart")
    assert _status(faas)["labels"]["kept"] == "yes"
    assert _pid(pipeline) == before
    written = json.loads((pipeline.state / "deployments.json").read_text())
    assert list(written) == [NAME]
