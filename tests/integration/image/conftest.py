"""The image's files, made by its recipe, and parts that run from them."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.image.cache import cached
from local.image.context import Context
from local.image.rootfs import Configuration
from local.image.run import prepared
from local.layout import ROOT
from signal_pipeline import __version__
from tests.integration.kafka_fixture import KafkaBroker, running_broker

REVISION = "0123456789abcdef" * 2 + "01234567"
Start = Callable[..., subprocess.Popen[bytes]]


@dataclass(frozen=True, kw_only=True)
class Image:
    """What the recipe makes: its layers in a folder, and how it is run."""

    files: Path
    configuration: Configuration

    def run(self, folder: Path, arguments: tuple[str, ...], settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start it with arguments in place of its own; what it says is in the folder's log."""
        mountpoint = folder / "root"
        mountpoint.mkdir(parents=True)
        run = prepared(self.files, self.configuration, list(arguments), settings, mountpoint)
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                run.argv, env=run.env, cwd=run.cwd, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )


@pytest.fixture(scope="session")
def image() -> Image:
    """The image of this checkout; made anew when something that is copied, the recipe or the lock has changed."""
    arguments = {"SOURCE": ".", "BUILD": REVISION, "VERSION": __version__}
    files, configuration = cached(ROOT / ".local" / "image", Context(ROOT), arguments)
    return Image(files=files, configuration=configuration)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker of the folder's own: the image makes the topics."""
    with running_broker(tmp_path_factory.mktemp("kafka") / "state") as running:
        yield running


@pytest.fixture
def settings(new_database: Callable[[], str], broker: KafkaBroker) -> dict[str, str]:
    """A database that does not exist yet, the broker, and nothing else."""
    return {
        "DATABASE_URL": new_database(),
        "KAFKA_BOOTSTRAP_SERVERS": broker.settings.kafka_bootstrap_servers,
        "REDIS_URL": "-",
        "TRIGGER_METRICS_URL": "-",
    }


@pytest.fixture
def start(image: Image, tmp_path: Path, settings: dict[str, str]) -> Iterator[Start]:
    """Start parts of the image; those that still run are killed afterwards, and what they said is shown."""
    with ExitStack() as running:

        def start_one(*arguments: str, **more: str) -> subprocess.Popen[bytes]:
            folder = tmp_path / f"part-{len(list(tmp_path.iterdir()))}"
            process = image.run(folder, arguments, settings | more)
            running.callback(lambda: print((folder / "log").read_text()))  # noqa: T201 - pytest shows it on failure
            running.callback(process.wait)
            running.callback(process.kill)
            return process

        yield start_one
