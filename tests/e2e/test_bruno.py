"""The Bruno collection, run headless by Bruno's own command line against the running pipeline."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from tests.support.pipeline import ROOT, Pipeline

COLLECTION = ROOT / "bruno-collection"
BRUNO = Path(sys.prefix) / "node" / "node_modules" / ".bin" / "bru"
_SECONDS = 280  # it waits for a dead letter, a job and a second failure, each for at most a minute


def test_the_whole_collection_passes(pipeline: Pipeline, tmp_path: Path) -> None:
    """Every request of the collection is sent, has assertions, and none of them fails."""
    results = _run(pipeline.settings, tmp_path / "first.json")
    if (faults := _faults(results[0])) and not any(map(_faults, results[1:])):
        # The runner was seen to judge its first request, and no other, by no answer or by `undefined` in place of a
        # status that its own report has, rarely and without a word why. A fault of ours is there the second time too.
        assert pipeline.run("-m", "local", "health").returncode == 0, faults
        results = _run(pipeline.settings, tmp_path / "second.json")
    assert [found for each in results for found in _faults(each)] == []
    sent = {f"{each['path']}.bru" for each in results}
    requests = [path for path in COLLECTION.glob("*/*.bru") if path.name != "folder.bru"]
    assert sent == {str(path.relative_to(COLLECTION)) for path in requests if path.parent.name != "environments"}


def _run(settings: Settings, report: Path) -> list[dict[str, Any]]:
    """Run the collection and return what became of each request; the exit status must agree with it."""
    variables = [part for each in _environment(settings).items() for part in ("--env-var", "=".join(each))]
    command = [BRUNO, "run", "-r", "--env", "local", *variables, "--reporter-json", report]
    done = subprocess.run(command, cwd=COLLECTION, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert report.exists(), done.stdout + done.stderr
    (run,) = json.loads(report.read_text())
    results: list[dict[str, Any]] = run["results"]
    faults = [found for each in results for found in _faults(each)]
    assert (done.returncode == 0) == (not faults), done.stdout
    return results


def _environment(settings: Settings) -> dict[str, str]:
    """Return the variables of the environment `local` for a pipeline on other ports."""
    found = {
        "apiKey": settings.emit_api_key.get_secret_value(),
        "password": settings.auth_admin_password.get_secret_value(),
    }
    for role in ROLES:
        first, *rest = role.name.split("-")
        name = first + "".join(each.title() for each in rest)
        url = f"http://127.0.0.1:{settings.port(role.name)}"
        metrics = f"http://127.0.0.1:{settings.metrics_port(role.name)}"
        found |= {name: url, f"{name}Itself": url, f"{name}Metrics": metrics}
    return found


def _answered(result: dict[str, Any]) -> bool:
    return isinstance((result["response"] or {}).get("status"), int)


def _faults(result: dict[str, Any]) -> list[str]:
    """Return what failed of a request; one without assertions proves nothing."""
    asserted = result["assertionResults"]
    faults = [f"{each['lhsExpr']} {each['rhsExpr']}: {each['error']}" for each in asserted if each["status"] != "pass"]
    faults += [str(result["error"])] if result["error"] else []
    faults += [f"no answer: {result['response']}"[:500]] if faults and not _answered(result) else []
    return [f"{result['path']}: {each}" for each in faults or ([] if asserted else ["no assertion"])]
