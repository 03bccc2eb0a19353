"""Every description of the functions says the same: stack.yml, functions/, compose, Prometheus, Knative, triggers."""

import yaml

from local.layout import ROOT
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES
from tests.support.compose import read
from tests.support.manifests import FOLDER, manifests_of
from tests.support.stack_file import read_stack

NAMES = [role.name for role in ROLES]
STACK = read_stack(ROOT / "stack.yml").functions
CONTAINERS = read(ROOT / "docker-compose.yml")["services"]
SERVICES = {
    document["metadata"]["name"]: document["spec"]["template"]["spec"]["containers"][0]
    for path, document in manifests_of(FOLDER / "base")
    if path.name == "functions.yaml"
}
FUNC = {name: yaml.safe_load((ROOT / "functions" / name / "func.yaml").read_text()) for name in NAMES}
# Variables that a platform's own programs read, and the two by which the image is told what it is.
NOT_SETTINGS = {"ROLE", "PORT", "read_timeout", "write_timeout", "exec_timeout"}


def test_the_same_functions_everywhere() -> None:
    """Six names, in each of the places, and no other."""
    prometheus = yaml.safe_load((ROOT / "monitoring" / "prometheus.yml").read_text())["scrape_configs"][0]
    scraped = {group["labels"]["role"]: group["targets"] for group in prometheus["static_configs"]}
    assert sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py")) == sorted(NAMES)
    assert sorted(STACK) == sorted(SERVICES) == sorted(scraped) == sorted(NAMES)
    assert set(NAMES) < set(CONTAINERS)
    assert scraped == {role.name: [f"{role.name}:{role.metrics_port}"] for role in ROLES}


def test_each_place_chooses_the_role_by_its_name() -> None:
    """Where the environment chooses, ROLE is the function's own name; compose says it as an argument, with its port."""
    for role in ROLES:
        knative = {one["name"]: one.get("value") for one in SERVICES[role.name]["env"]}
        func = {one["name"]: one["value"] for one in FUNC[role.name]["run"]["envs"]}
        assert STACK[role.name].environment["ROLE"] == knative["ROLE"] == func["ROLE"] == role.name
        assert FUNC[role.name]["name"] == role.name
        assert CONTAINERS[role.name]["command"] == ["serve", role.name, "--port", str(role.port)]
        published = [port.rpartition(":")[2] for port in CONTAINERS[role.name]["ports"]]
        assert published == [str(role.port), str(role.metrics_port)]


def test_platforms_serve_on_the_port_that_they_expect() -> None:
    """OpenFaaS and Knative call 8080, which is the image's own choice, too."""
    recipe = (ROOT / "template" / "python-signal" / "Dockerfile").read_text()
    assert "PORT=8080" in recipe
    assert {one.environment["PORT"] for one in STACK.values()} == {"8080"}
    assert [port["containerPort"] for one in SERVICES.values() for port in one["ports"]] == [8080] * len(NAMES)


def test_every_variable_is_a_setting() -> None:
    """A variable that no part reads would be a spelling mistake that nobody sees."""
    known = {field.upper() for field in Settings.model_fields} | NOT_SETTINGS
    known |= {f"{field}_FILE" for field in known}
    given = {variable for one in STACK.values() for variable in one.environment}
    given |= {one["name"] for container in SERVICES.values() for one in container["env"]}
    given |= {one["name"] for func in FUNC.values() for one in func["run"]["envs"]}
    given |= {variable for name in NAMES for variable in CONTAINERS[name]["environment"]}
    for path in FOLDER.glob("**/settings.env"):
        given |= {line.partition("=")[0] for line in path.read_text().splitlines() if line and line[0] != "#"}
    assert given - known == set()


def test_a_topic_calls_the_same_function_everywhere() -> None:
    """What stack.yml annotates is what the role's KafkaSource consumes; compose has a trigger where there is one."""
    for name in NAMES:
        path = ROOT / "triggers" / f"{name}.yaml"
        documents = list(yaml.safe_load_all(path.read_text())) if path.is_file() else []
        topics = [topic for one in documents if one["kind"] == "KafkaSource" for topic in one["spec"]["topics"]]
        assert STACK[name].annotations.get("topic", "") == ",".join(topics)
        assert (f"{name}-trigger" in CONTAINERS) == bool(documents)


def test_the_image_has_one_name_and_version() -> None:
    """Compose builds what the platforms pull; every tag is the project's version."""
    tags = {one.image.rpartition(":")[2] for one in STACK.values()}
    repositories = {one.image.rpartition(":")[0].rpartition("/")[0].rpartition("/")[2] for one in STACK.values()}
    assert len(tags) == 1
    assert repositories == {container["image"] for container in SERVICES.values()} == {"signal-pipeline"}
    assert {CONTAINERS[name]["image"] for name in NAMES} == {"signal-pipeline:local"}
