"""The commands of the Kafka image, which `docker compose exec kafka …` calls, run here from the same jars."""

import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.layout import ROOT
from signal_pipeline.broker.admin import apply_topics
from tests.integration.kafka_fixture import KafkaBroker

FOLDER = ROOT / "local" / "kafka"
SCRIPT = (FOLDER / "kafka-tool").read_text()
PAGES = [ROOT / "docs" / "user-guide.md", *sorted((ROOT / "docs" / "platforms").glob("*.md"))]
DOCUMENTED = sorted(
    {
        re.sub(r"[\\\s]+", " ", found).strip()
        for page in PAGES
        for found in re.findall(r"docker compose exec kafka (kafka-(?:[^`|]|\\\n)*?)(?=`|\||\n```)", page.read_text())
    }
)
NAMES = re.findall(r"^  (kafka-[a-z-]+)\) ", SCRIPT, re.MULTILINE)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with the commands under their names, as the image has them on its PATH."""
    script = tmp_path / "kafka-tool"
    script.write_text(SCRIPT.replace("/opt/kafka", str(ROOT / ".local" / "lib")))
    script.chmod(0o755)
    for name in NAMES:
        (tmp_path / name).symlink_to(script)
    return tmp_path


def call(*words: str, given: str = "") -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run(words, input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{words}\n{done.stderr}"
    return done.stdout


def test_each_has_its_name_on_the_path() -> None:
    """The recipe links every name that the script knows, and no other."""
    linked = re.findall(r"for tool in ([a-z -]+);", (FOLDER / "Dockerfile").read_text())[0]
    assert sorted(f"kafka-{name}" for name in linked.split()) == sorted(NAMES)


def test_a_record_goes_in_and_comes_out(tools: Path, broker: KafkaBroker) -> None:
    """What the producer writes the consumer shows, verbatim as the documentation has the commands."""
    server = ("--bootstrap-server", broker.settings.kafka_bootstrap_servers.replace("127.0.0.1", "localhost"))
    topic = ("--topic", broker.topic())
    call(str(tools / "kafka-console-producer"), *server, *topic, given="first\nsecond\n")
    read = [str(tools / "kafka-console-consumer"), *server, *topic, "--from-beginning", "--max-messages", "2"]
    assert call(*read) == "first\nsecond\n"
    assert call(str(tools / "kafka-get-offsets"), *server, *topic) == f"{topic[1]}:0:2\n"


def test_an_unknown_name_is_refused(tools: Path) -> None:
    """A link without a class says so."""
    (tools / "kafka-nothing").symlink_to(tools / "kafka-tool")
    assert subprocess.run([tools / "kafka-nothing"], capture_output=True, check=False).returncode == 64


def test_the_documented_commands_are_understood(tools: Path, broker: KafkaBroker) -> None:
    """What the pages show behind `docker compose exec kafka` runs as it stands, against topics that exist."""
    apply_topics(broker.settings)

    def run(command: str) -> None:
        here = re.sub(r"localhost:9092|kafka:29092", broker.settings.kafka_bootstrap_servers, command)
        program, *words = shlex.split(here)
        endless = ["--timeout-ms", "500"] if program == "kafka-console-consumer" else []  # a person would press Ctrl-C
        call(str(tools / program), *words, *endless)

    assert len(DOCUMENTED) > 5
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, DOCUMENTED))
