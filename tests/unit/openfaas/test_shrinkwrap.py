"""`faas-cli build --shrinkwrap` of stack.yml gives contexts from which the image can be built, and which run."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from local.layout import ROOT
from signal_pipeline.topology import ROLES
from tests.support.shrinkwrap import copied_into_image, ignored, lay_out, shrinkwrap
from tests.support.stack_file import Configuration, read_stack

STACK = read_stack(ROOT / "stack.yml")
DEADLINE_SECONDS = 30
REQUIREMENTS = ("runtime", "otel")  # the recipe's argument


def known_files() -> set[Path]:
    """Return the files of the repository: those in git, and new ones that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {Path(name) for name in listed.split("\0") if name}


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The build context of each function."""
    build = tmp_path_factory.mktemp("build")
    return {role.name: shrinkwrap(STACK, role.name, root=ROOT, build=build) for role in ROLES}


@pytest.mark.parametrize("name", [role.name for role in ROLES])
def test_everything_the_recipe_copies_is_there(contexts: dict[str, Path], name: str) -> None:
    """Every path of a COPY exists in the context, under function/, also for the build with tracing."""
    for requirements in REQUIREMENTS:
        pairs = list(copied_into_image(contexts[name] / "Dockerfile", source="function", requirements=requirements))
        assert pairs
        assert [path for path, _ in pairs if not (contexts[name] / path).exists()] == []
    assert (contexts[name] / "function" / "main.py").read_text() == (ROOT / f"functions/{name}/main.py").read_text()


@pytest.mark.parametrize("name", [role.name for role in ROLES])
def test_nothing_travels_that_should_not(contexts: dict[str, Path], name: str) -> None:
    """What the engine gets are files of the repository, of the copied folders only: no state, secrets, tests, git."""
    context = contexts[name]
    hidden = ignored(context)
    sent = {path.relative_to(context) for path in context.rglob("*") if path.is_file() and path not in hidden}
    handler, copied = Path("functions") / name, [Path(path) for path in STACK.configuration.copy_paths]
    known, allowed = known_files(), set[Path]()
    for path in known:
        if path.is_relative_to("template/python-signal"):
            allowed.add(path.relative_to("template/python-signal"))
        if path.is_relative_to(handler):
            allowed.add("function" / path.relative_to(handler))
        if any(path.is_relative_to(each) for each in copied):
            allowed.add("function" / path)
    assert sent - allowed == set()
    parts = {part for path in sent for part in path.parts}
    assert not parts & {".env", ".local", ".venv", ".git", "tests", "__pycache__", "node_modules"}


def test_nothing_is_copied_that_the_recipe_does_not_use() -> None:
    """Each entry of configuration.copy is the source of a COPY, for one choice of the requirements or the other."""
    recipe = ROOT / "template" / "python-signal" / "Dockerfile"
    used = {path for each in REQUIREMENTS for path, _ in copied_into_image(recipe, source=".", requirements=each)}
    assert set(STACK.configuration.copy_paths) == used


@pytest.mark.parametrize("name", ["emit", "process-signal"])
async def test_a_context_runs(contexts: dict[str, Path], tmp_path: Path, name: str) -> None:
    """Laid out as the recipe does, with this interpreter and the environment of stack.yml, it answers /_/health."""
    app = tmp_path / "app"
    lay_out(contexts[name], app)
    port = _free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(app),
        "ROLE": STACK.functions[name].environment["ROLE"],
        "PORT": str(port),
        f"{name.replace('-', '_').upper()}_METRICS_PORT": str(_free_port()),
    }
    assert _imported_from(app, environment).is_relative_to(app)
    command = [sys.executable, "-m", "signal_pipeline", "serve"]
    process = await asyncio.create_subprocess_exec(*command, cwd=app, env=environment)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (status := await _status(f"http://127.0.0.1:{port}/_/health")) == 0:
                assert process.returncode is None, "it ended before it answered"
                await asyncio.sleep(0.05)
        assert status == 200
    finally:
        process.terminate()
        assert await process.wait() == -signal.SIGTERM  # uvicorn ends in order, then by the signal it got


def _imported_from(app: Path, environment: dict[str, str]) -> Path:
    """Return where the library comes from for a process in that folder."""
    command = [sys.executable, "-c", "import signal_pipeline; print(signal_pipeline.__file__)"]
    told = subprocess.run(command, cwd=app, env=environment, check=True, capture_output=True, text=True).stdout
    return Path(told.strip())


async def _status(url: str) -> int:
    """Return the status of a GET; 0 while nobody listens."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status
    except aiohttp.ClientConnectorError:
        return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def project(root: Path, *paths: str) -> Path:
    """Make a project with a template, a handler and further files."""
    for path in ("template/python-signal/Dockerfile", "functions/emit/main.py", *paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def copying(*paths: str) -> Configuration:
    """Return the configuration that copies paths."""
    return Configuration(copy=list(paths))


def test_the_handler_goes_over_the_template_and_the_copies_over_both(tmp_path: Path) -> None:
    """Nested copies keep their path; `build` and `template` in a handler are skipped; a folder `function` nests."""
    starter = "template/python-signal/function/main.py"
    handler = [f"functions/emit/{path}" for path in ("build/x", "template/x", ".hidden", "function/func.py")]
    root = project(tmp_path, starter, *handler, "docs/openapi/a.yaml", "docs/other.md")
    stack = STACK.model_copy(update={"configuration": copying("docs/openapi")})
    context = shrinkwrap(stack, "emit", root=root, build=tmp_path / "build")
    files = {str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()}
    inside = {"main.py", ".hidden", "function/func.py", "docs/openapi/a.yaml"}
    assert files == {"Dockerfile", *(f"function/{path}" for path in inside)}
    assert (context / "function" / "main.py").read_text() == "functions/emit/main.py"


@pytest.mark.parametrize("path", [".", "../elsewhere", "docs/../.."])
def test_a_copy_from_outside_is_refused(tmp_path: Path, path: str) -> None:
    """A path that is the project itself or leads out of it stops the build."""
    stack = STACK.model_copy(update={"configuration": copying(path)})
    with pytest.raises(ValueError, match="not inside"):
        shrinkwrap(stack, "emit", root=project(tmp_path / "project"), build=tmp_path / "build")
