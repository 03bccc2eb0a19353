"""Each function folder is what func builds: its own environment, its middleware, our application behind it."""

import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from local.layout import ROOT
from signal_pipeline.topology import ROLES
from tests.contract.client import Site
from tests.integration.conftest import PostgresServer
from tests.integration.functions.func_host import Host, built, started
from tests.support.waiting import wait_for

HEADERS = {
    "ce-specversion": "1.0", "ce-source": "func", "ce-type": "click", "ce-subject": "user_7",
    "content-type": "application/json",
}  # fmt: skip
BODY = b'{"session_id": "sess_12345", "data": "sample_data_50"}'
LONG = json.dumps({"session_id": "x" * 3000}).encode()
BATCH = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
def host() -> Host:
    """The one environment of this run."""
    return built()


def ready(site: Site) -> bool:
    """Tell whether the middleware says that the function is ready."""
    return site.get("/health/readiness").status == 200


def test_a_function_that_func_built(host: Host, database_url: str) -> None:
    """It is healthy, stores an event in PostgreSQL, answers 415, 422 and 207 as everywhere, and ends on SIGTERM."""
    with started(host, "process-signal", database_url=database_url) as (site, process):
        wait_for(lambda: ready(site), seconds=20, what="readiness")
        one = str(uuid4())
        assert site.post("/", HEADERS | {"ce-id": one}, BODY).status == 204
        with psycopg.connect(database_url) as connection:
            assert connection.execute("SELECT user_id, source FROM signals WHERE id = %s", [one]).fetchall() == [
                ("user_7", "func")
            ]
        assert site.post("/", {"content-type": "text/plain"}, b"hello").status == 415
        assert site.post("/", HEADERS | {"ce-id": str(uuid4())}, LONG).status == 422
        mixed = [event(str(uuid4())), event(str(uuid4())) | {"data": "\x00"}]
        answer = site.post("/", BATCH, json.dumps(mixed).encode())
        assert (answer.status, [one["index"] for one in answer.json["results"]]) == (207, [1])
        assert site.get("/openapi.json").json["info"]["title"]
        assert b"signals_stored_total" in site.call("GET", "/metrics", port=site.metrics_port).body
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "Traceback" not in (host.folder / "process-signal.log").read_text()


def event(identity: str) -> dict[str, str]:
    """Return an event in JSON."""
    return {"specversion": "1.0", "id": identity, "source": "func", "type": "click", "subject": "user_7", "data": "x"}


def test_not_ready_without_its_database(host: Host) -> None:
    """While PostgreSQL is away the function lives, is not ready, and answers 503, so that a source tries again."""
    with started(host, "process-signal") as (site, _):
        assert not ready(site)
        answer = site.post("/", HEADERS | {"ce-id": str(uuid4())}, BODY)
        assert (answer.status, int(answer.headers["retry-after"]) > 0) == (503, True)


def test_every_role(host: Host, database_url: str) -> None:
    """All six start in this environment, each as itself, without a repository around them, and end in order."""
    with ExitStack() as stack, ThreadPoolExecutor(len(ROLES)) as pool:
        starts = [started(host, role.name, database_url=database_url) for role in ROLES]
        sites, processes = zip(*pool.map(stack.enter_context, starts), strict=True)
        documents = [site.get("/openapi.json").json for site in sites]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(20) for process in processes] == [0] * len(ROLES)
    assert not [role.name for role in ROLES if "Traceback" in (host.folder / f"{role.name}.log").read_text()]
    assert [document["info"]["title"] for document in documents] == [role.name for role in ROLES]


def test_the_middleware_may_read_events(host: Host, database_url: str) -> None:
    """With `invoke: cloudevent`, too, an event of either mode is stored, and a poisonous one refused as everywhere."""
    with started(host, "process-signal", middleware="cloudevent", database_url=database_url) as (site, _):
        binary, structured = str(uuid4()), str(uuid4())
        assert site.post("/", HEADERS | {"ce-id": binary}, BODY).status == 204
        written = json.dumps(event(structured)).encode()
        assert site.post("/", {"content-type": "application/cloudevents+json"}, written).status == 204
        broken = site.post("/", HEADERS | {"ce-id": str(uuid4())}, b'{"broken')
        assert (broken.status, broken.json["code"]) == (400, "not_json")
        with psycopg.connect(database_url) as connection:
            rows = connection.execute(
                "SELECT id::text, payload FROM signals WHERE id = ANY(%s)", [[binary, structured]]
            )
            assert dict(rows.fetchall()) == {binary: json.loads(BODY), structured: "x"}


def test_commands_of_an_installed_package(host: Host, postgres_server: PostgresServer, tmp_path: Path) -> None:
    """Away from the repository the package migrates an empty database and reads the manifests of its triggers."""
    names = [path.stem for path in sorted((ROOT / "sql" / "migrations").glob("*.sql"))]
    with postgres_server.database() as url:
        migrated = run(host, tmp_path, "-m", "signal_pipeline", "migrate", DATABASE_URL=url)
    assert [name for name in names if name not in migrated] == []
    program = (
        "from signal_pipeline.settings import Settings; from signal_pipeline.trigger.manifest import load_triggers;"
        "print([one.name for one in load_triggers('replay-dlq', Settings())])"
    )
    assert run(host, tmp_path, "-c", program) == "['replay-dlq', 'replay-dlq-tick']"


def run(host: Host, folder: Path, *arguments: str, **variables: str) -> str:
    """Run the environment's interpreter in a folder, and return what it prints."""
    environment = {"PATH": os.environ["PATH"], **variables}
    command = [str(host.python), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_but_its_own(host: Host, tmp_path: Path) -> None:
    """The environment has the middleware's cloudevents 2 and no functions-framework; the package is not the tree's."""
    program = (
        "import importlib.metadata as m, importlib.util as u, signal_pipeline.resources as r;"
        "print(m.version('cloudevents').split('.')[0], u.find_spec('functions_framework'), r.SQL, sep='|')"
    )
    major, framework, sql = run(host, tmp_path, "-c", program).split("|")
    assert (major, framework) == ("2", "None")
    assert Path(sql).parent.name == "data"
    assert (Path(sql) / "migrations").is_dir()
