"""What README and guides name exists: commands, paths, settings, ports, and what their links lead to."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.main import get_command

from local.cli import app as local_app
from local.components.table import all_services
from local.layout import ROOT, Layout
from signal_pipeline.cli import app
from signal_pipeline.settings import Settings
from tests.support.guides import blocks

PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "operations").glob("*.md")),
    *sorted((ROOT / "docs" / "adr").glob("*.md")),
    *sorted((ROOT / "docs" / "platforms").glob("*.md")),
]
SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it
# Variables of others that the pages tell to set.
_FOREIGN = {
    "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "MODE", "NO_COLOR", "QUICK", "CELL", "COMPOSE_PROFILES", "DOMAIN",
    "ACME_EMAIL", "SSL_CERT_FILE", "OLD_URL", "NEW_PASSWORD", "SECURE", "OUT", "SECRETS_DIR", "GATEWAY_BIND_ADDRESS",
    "GATEWAY_TLS_PORT", "GATEWAY_CERT_FILE", "GATEWAY_KEY_FILE", "GATEWAY_TRUSTED_PROXIES", "GATEWAY_ADDRESS",
    "NETWORK_SUBNET", "NETWORK_RANGE", "SASL_SSL", "OPENFAAS_INSIDE_URL", "COMPOSE_FILE",
}  # fmt: skip
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:signal-pipeline|-m signal_pipeline|`…|^…) ((?:[a-z][a-z-]+ ?)+)")
_LOCAL = re.compile(r"-m local ([a-z]+)")
_MAKE = re.compile(r"\bmake ((?:(?:[a-z]+(?:-[a-z<>\-x]+)*)(?: |$))+)")
_PATH = re.compile(
    r"(?<![\w./-])(?:docs|sql|signal_pipeline|local|triggers|functions|examples|monitoring|tests|template|deploy|requirements)"
    r"/[\w./*<>-]*"
)
_VARIABLE = re.compile(r"\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|MODE|CELL)(?==|\b)")
_REGISTRY_PORT = 5000  # where a registry of images on this machine listens
_PORT = re.compile(r"(?:localhost|127\.0\.0\.1):(\d{4,5})")

named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code_of(page: Path) -> list[str]:
    """Return what a page sets in code: words in backquotes, and the lines of its shell blocks."""
    text = page.read_text()
    lines = [line for kind in ("sh", "console") for block in blocks(text, kind) for line in block.text.splitlines()]
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [*(line.partition(" # ")[0] for line in lines), *_CODE.findall(outside)]


def targets() -> set[str]:
    """Return the targets of the Makefile, `%` for any service."""
    return set(re.findall(r"^([a-z][a-z%-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def is_target(word: str, services: set[str]) -> bool:
    """Tell whether `make <word>` is a command, on a service that exists where it names one."""
    if word in targets():
        return True
    action, _, service = word.partition("-")
    return f"{action}-%" in targets() and (service in services or service in {"<service>", "x"})


def subcommands(command: str) -> bool:
    """Tell whether words are a command of the command line, as far as they name one."""
    found = get_command(app)
    for word in command.split():
        children = getattr(found, "commands", None)
        if children is None:
            return True  # the rest are arguments
        if word not in children:
            return False
        found = children[word]
    return True


@named
def test_make_targets_exist(page: Path) -> None:
    """Each `make …` is a target, and a service in its name is one."""
    services = {service.name for service in all_services(SETTINGS, Layout.of(SETTINGS.state_dir))} | {"grafana"}
    words = [
        word for code in code_of(page) for match in _MAKE.finditer(code.strip() + " ") for word in match[1].split()
    ]
    assert [word for word in words if not is_target(word, services)] == []


@named
def test_subcommands_exist(page: Path) -> None:
    """Each `signal-pipeline …` and `python -m local …` is a command."""
    commands = [match[1].strip() for code in code_of(page) for match in _COMMAND.finditer(code)]
    assert [command for command in commands if not subcommands(command)] == []
    local = [match[1] for code in code_of(page) for match in _LOCAL.finditer(code)]
    assert [word for word in local if word not in get_command(local_app).commands] == []


@named
def test_paths_exist(page: Path) -> None:
    """Each path in code leads to a file or folder of the repository, or into the state folder."""
    paths = {path for code in code_of(page) if "://" not in code for path in _PATH.findall(code)}
    missing = [path for path in paths if "<" not in path and not any(ROOT.glob(path.rstrip("/")))]
    assert [path for path in missing if not any((ROOT / "signal_pipeline").glob(path))] == []


@named
def test_settings_exist(page: Path) -> None:
    """Each variable that is set or named is a setting, or one of the tools around."""
    secrets = {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    known = {name.upper() for name in Settings.model_fields} | {f"{name.upper()}_FILE" for name in secrets} | _FOREIGN
    words = {word for code in code_of(page) for word in _VARIABLE.findall(code)}
    assert sorted(word for word in words if word not in known and not _is_wording(word)) == []


@named
def test_ports_are_those_of_the_settings(page: Path) -> None:
    """Each address on this machine has the default port of something, or one of the few that examples make up."""
    ports = {getattr(SETTINGS, name) for name in Settings.model_fields if name.endswith("_port")}
    found = {int(port) for port in _PORT.findall(page.read_text())}
    assert sorted(found - ports - {_REGISTRY_PORT}) == []


@named
def test_links_lead_somewhere(page: Path) -> None:
    """Each link into the repository finds its file, and its heading where it names one."""
    for link in (first or second for first, second in _LINK.findall(page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, link


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _is_wording(word: str) -> bool:
    """Tell whether it is a word of SQL or Kafka rather than a variable."""
    return word in {"FUNCTION_URL", "IN_PROGRESS"}
