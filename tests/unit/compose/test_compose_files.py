"""What compose or an engine would refuse, or do otherwise than meant, is found here without either."""

import ipaddress
import os
import re
import shutil
import subprocess
from collections import Counter
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from local.image.context import Context
from local.image.recipe import expand, parse, words
from local.layout import ROOT
from tests.support.compose import Unset, enabled, interpolated, merged, ports, read, start_order
from tests.support.compose_schema import SCHEMA

BASE = ROOT / "docker-compose.yml"
PRODUCTION = ROOT / "deploy" / "compose" / "production.yml"
FOLDER = {"SECRETS_DIR": "/secrets"}
OPTIONAL = ("auth", "redis", "gateway")
# Each choice of optional parts, as COMPOSE_PROFILES says it; core stands for none of them.
CHOICES = ["", *(",".join(("core", *some)) for n in range(4) for some in combinations(OPTIONAL, n))]
# Programs that the images have, of those that health checks call.
PROGRAMS = {
    "postgres": {"pg_isready"},
    "signal-pipeline-kafka": {"kafka-healthy"},
    "redis": {"redis-cli", "grep"},
    "prom/prometheus": {"wget"},
    "grafana/grafana": {"wget"},
    "traefik": {"traefik"},
    "signal-pipeline": {"python"},
}


def production() -> dict[str, Any]:
    """Return what both files mean together."""
    return merged(read(BASE), read(PRODUCTION))


FILES = {"development": read(BASE), "production": production()}
each_file = pytest.mark.parametrize("name", FILES)


def valued(name: str, **environment: str) -> dict[str, Any]:
    """Return a file with its variables' values; of a clean clone, which has no .env, unless some are given."""
    found: dict[str, Any] = interpolated(FILES[name], (FOLDER if name == "production" else {}) | environment)
    return found


@each_file
def test_its_form(name: str) -> None:
    """Every key and the form of each value is one of those that our files use."""
    assert [f"{error.json_path}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(valued(name))] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("services", "emit", "comand"), ["serve"]),
        (("services", "emit", "environment", "PORT"), 8001),
        (("services", "emit", "environment", "DEBUG"), True),
        (("services", "emit", "read_only"), False),
        (("services", "emit", "depends_on", "kafka"), {"condition": "service_helthy"}),
        (("services", "emit", "tmpfs"), ["/data:mode=1777,siez=1m"]),
        (("services", "emit", "volumes"), ["./here:/there"]),
        (("services", "emit", "image"), "latest"),
        (("services", "redis", "healthcheck", "interval"), "5 seconds"),
        (("volume",), {}),
    ],
)
def test_a_mistake_of_form_is_found(place: tuple[str, ...], value: object) -> None:
    """A misspelt key, an unquoted number, a writable mount and an image without a tag are refused."""
    content = yaml.safe_load(yaml.safe_dump(valued("development")))
    inside = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    assert not Draft7Validator(SCHEMA).is_valid(content)


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Of two the second would win, and nobody would see the first."""
    (tmp_path / "file").write_text("services:\n  a: {image: x}\n  a: {image: y}\n")
    with pytest.raises(yaml.YAMLError, match="twice"):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A ${A}", "1 1"), ("${N:-d}", "d"), ("${E:-d}", "d"), ("${E-d}", ""), ("${N-d}", "d"), ("${A:-d}", "1"),
        ("${N:-${A}x}", "1x"), ("${N:-${M:-y}}", "y"), ("${A:+b}${N:+c}", "b"), ("$$A $$(x)", "$A $(x)"),
        ("${A:?why}", "1"), ("${E?why}", ""), ("${N:-{}}", "{}"),
    ],
)  # fmt: skip
def test_variables_as_compose_reads_them(text: str, value: str) -> None:
    """Defaults, alternatives, nesting and the doubled sign."""
    assert interpolated(text, {"A": "1", "E": ""}) == value


@pytest.mark.parametrize("text", ["$N", "${N}", "${N:?why}", "${E:?why}", "${A", "$", "$1", "${A/x/y}", "a $(id)"])
def test_a_variable_without_a_value_is_refused(text: str) -> None:
    """Compose would put nothing in its place and only warn."""
    with pytest.raises(Unset):
        interpolated(text, {"A": "1", "E": ""})


def test_a_clean_clone_needs_no_variable_and_production_one() -> None:
    """Without .env everything has a value; production asks for the folder of the secrets and for nothing else."""
    valued("development")
    with pytest.raises(Unset, match="SECRETS_DIR"):
        interpolated(FILES["production"], {})
    valued("production")


def test_variables_have_the_default_that_the_settings_have() -> None:
    """A variable that stands in several places has one default, so that one .env line is enough and needed."""
    found: dict[str, set[str]] = {}
    for name, default in re.findall(r"\$\{([A-Z_]+):-([^{}]*)\}", BASE.read_text()):
        found.setdefault(name, set()).add(default)
    differing = {name: defaults for name, defaults in found.items() if len(defaults) > 1}
    # The gateway believes a proxy in front only where one is named, and its address is that which functions believe.
    assert differing.keys() <= {"GATEWAY_TRUSTED_PROXIES", "GATEWAY_CERT_FILE"}


@each_file
@pytest.mark.parametrize("profiles", CHOICES)
def test_each_choice_of_parts_can_start(name: str, profiles: str) -> None:
    """Whatever is left out, what stays has all that it must have, and nothing waits for itself."""
    services = enabled(valued(name)["services"], profiles)
    order = start_order(services)
    assert sorted(order) == sorted(services)
    assert order.index("migrate") < order.index("emit") < order.index("emit-trigger")
    left_out = {"auth": "auth", "redis": "redis", "gateway": "traefik"}
    chosen = set(OPTIONAL) if not profiles else set(profiles.split(","))
    assert {part for profile, part in left_out.items() if profile not in chosen} == valued(name)[
        "services"
    ].keys() - services.keys()


def test_a_missing_part_and_a_circle_are_found() -> None:
    """A dependency that no profile brings, and two that wait for each other, are refused by name."""
    with pytest.raises(LookupError, match="a needs b"):
        start_order({"a": {"depends_on": {"b": {}}}})
    with pytest.raises(ValueError, match="'a', 'b'"):
        start_order({"a": {"depends_on": {"b": {}}}, "b": {"depends_on": {"a": {}}}})
    assert start_order({"a": {"depends_on": {"b": {"required": False}}}}) == ["a"]


@each_file
def test_no_port_is_published_twice(name: str) -> None:
    """Each published port is one container's."""
    counts = Counter(ports(valued(name)["services"].values()))
    assert [port for port, count in counts.items() if count > 1] == []
    assert len(counts) > 20


@each_file
def test_all_that_is_named_is_declared_and_all_that_is_declared_is_used(name: str) -> None:
    """Volumes, secrets and networks: a name without a declaration is an error, one without use is a leftover."""
    content = valued(name)
    boxes = content["services"].values()
    mounts = [mount.split(":")[0] for box in boxes for mount in box.get("volumes", ())]
    assert {mount for mount in mounts if mount[0] not in "./"} == content["volumes"].keys()
    assert {secret for box in boxes for secret in box.get("secrets", ())} == content.get("secrets", {}).keys()
    assert {network for box in boxes for network in box.get("networks", {})} <= content["networks"].keys()


def test_the_fixed_address_is_outside_of_what_is_given_to_others() -> None:
    """No other container can get the gateway's address, which the functions believe."""
    content = valued("development")
    (pool,) = content["networks"]["default"]["ipam"]["config"]
    gateway = content["services"]["traefik"]["networks"]["default"]["ipv4_address"]
    address = ipaddress.ip_address(gateway)
    assert address in ipaddress.ip_network(pool["subnet"])
    assert address not in ipaddress.ip_network(pool["ip_range"])
    assert content["services"]["emit"]["environment"]["TRUSTED_PROXIES"] == f"{gateway}/32"


def test_each_recipe_finds_what_it_copies() -> None:
    """For every build the recipe is there, is understood, and its context has each source, past .dockerignore."""
    builds = [box["build"] for box in valued("development")["services"].values() if "build" in box]
    assert len(builds) == 2
    for build in builds:
        folder = ROOT / build["context"]
        context = Context(folder)
        stages = parse((folder / build.get("dockerfile", "Dockerfile")).read_text())
        copies = [each for stage in stages for each in stage.instructions if each.name == "COPY"]
        for copy in copies:
            *sources, _ = [expand(word, build.get("args", {})) for word in words(copy)]
            if not any(source.startswith("--from=") for source in sources):
                for source in (source for source in sources if not source.startswith("--")):
                    assert context.files(source.removeprefix("./")), source


@each_file
def test_health_checks_call_what_the_image_has(name: str) -> None:
    """An unknown program would make a container unhealthy for ever."""
    for part, box in valued(name)["services"].items():
        kind, *test = box.get("healthcheck", {}).get("test", ["CMD", "python"])
        called = {test[0]} if kind == "CMD" else set(re.findall(r"(?:^|\| )(?:\w+=\"[^\"]*\" )?([\w-]+)", test[0]))
        assert called <= PROGRAMS[box["image"].split(":")[0]], part


@each_file
def test_who_is_not_root_has_a_place_to_write(name: str) -> None:
    """With a root that is read-only each tmpfs is bounded, and its user may write to it: its own, or open to all."""
    for part, box in valued(name)["services"].items():
        for mount in box.get("tmpfs", ()):
            path, _, options = mount.partition(":")
            assert "size=" in options, part
            assert path == "/tmp" or {"mode=1777", "mode=3777", "uid=10001"} & set(options.split(",")), part  # noqa: S108


def test_production_has_no_default_secret() -> None:
    """No development secret of the first file is left where a container sees it."""
    text = str(valued("production")["services"])
    defaults = re.findall(r"\$\{[A-Z_]*(?:PASSWORD|SECRET_KEY|API_KEY):-([^}]+)\}", BASE.read_text())
    known = {default for default in defaults if default not in {"postgres", "admin"}}
    assert known == {"super-secret-jwt-key-change-in-production", "redis123", "dev-test-key-123", "dev-service-key-123"}
    assert [secret for secret in known if secret in text] == []
    assert "postgres:postgres@" not in text
    for part, variable in (("postgres", "POSTGRES_PASSWORD"), ("grafana", "GF_SECURITY_ADMIN_PASSWORD")):
        assert variable not in valued("production")["services"][part]["environment"]


def compose_command() -> list[str] | None:
    """Return how compose is called here, or None."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "version"], capture_output=True, check=False).returncode
        ):
            return command
    return None


@pytest.mark.parametrize("profiles", CHOICES)
def test_compose_itself_agrees(profiles: str) -> None:
    """Where compose is installed it takes both files, and runs the same parts; elsewhere pytest names the gap."""
    command = compose_command()
    if command is None:
        pytest.skip("NOT CHECKED BY COMPOSE: neither `docker compose` nor docker-compose is here")
    for name, files in (("development", [BASE]), ("production", [BASE, PRODUCTION])):
        options = list(chain.from_iterable(("-f", str(file)) for file in files))
        done = subprocess.run(
            [*command, "--project-directory", str(ROOT), *options, "--env-file", "/dev/null", "config", "--services"],
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "COMPOSE_PROFILES": profiles, **FOLDER},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert set(done.stdout.split()) == enabled(valued(name)["services"], profiles).keys()
