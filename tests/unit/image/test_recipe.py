"""The recipe is read strictly: what is not understood is refused, so that nothing of it is left out unseen."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from local.image.context import Context
from local.image.recipe import KNOWN, Instruction, RecipeError, expand, parse, words
from local.image.rootfs import RECIPE, build
from local.image.steps import KNOWN_STEPS, commands_of
from local.layout import ROOT

DIGEST = "@sha256:" + "0123456789abcdef" * 4
FROM = f"FROM base:1.0{DIGEST}\n"
TEXT = RECIPE.read_text()

word = st.text("abcdefghijklmnopqrstuvwxyz/._=-", min_size=1, max_size=8)
instructions = st.lists(
    st.tuples(st.sampled_from(sorted(KNOWN - {"FROM"})), st.lists(word, min_size=1, max_size=5)), max_size=8
)
between = st.sampled_from([" ", " \\\n  ", " \\\n# a comment\n\n  "])


@given(instructions, st.lists(between, min_size=64, max_size=64))
def test_lines_may_be_broken_anywhere(written: list[tuple[str, list[str]]], breaks: list[str]) -> None:
    """An instruction means the same on one line, on several, and with comments and empty lines in between."""
    spaces = iter(breaks)
    text = FROM + "".join(
        "".join([name, *(next(spaces) + each for each in parts)]) + "\n# a comment\n" for name, parts in written
    )
    (stage,) = parse(text)
    assert [(each.name, each.value.split()) for each in stage.instructions] == written


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands in the file, reading it ends in stages or in a RecipeError."""
    with suppress(RecipeError):
        assert isinstance(parse(text), tuple)


@pytest.mark.parametrize(
    "text",
    [
        "RUN true\n",
        "FROM base:1.0\n",
        "FROM base:latest AS x\n",
        f"{FROM}ADD a b\n",
        f"{FROM}HEALTHCHECK NONE\n",
        f"{FROM}RUN\n",
        f"{FROM}RUN true \\\n",
        f"{FROM}what is this\n",
    ],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """An image without a digest, an instruction of another kind, an empty and an endless one are errors."""
    with pytest.raises(RecipeError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"), [("$A", "1"), ("${A}/x", "1/x"), ("a$A:$B", "a1:2"), ("none", "none"), ("", "")]
)
def test_variables(text: str, value: str) -> None:
    """Both plain forms are replaced."""
    assert expand(text, {"A": "1", "B": "2"}) == value


@pytest.mark.parametrize("text", ["$C", "${C}", "${A:-x}", "${A", "$", r"\$A", "$(id)"])
def test_other_forms_of_variables_are_refused(text: str) -> None:
    """What is not declared, has a default or is escaped would be another value with an engine."""
    with pytest.raises(RecipeError):
        expand(text, {"A": "1"})


@pytest.mark.parametrize("value", ["python -m x", '"python"', '["python", 1]', "{}", "["])
def test_a_program_in_the_shell_form_is_refused(value: str) -> None:
    """A shell in between would take the signal that the program must get."""
    with pytest.raises(RecipeError):
        words(Instruction(name="ENTRYPOINT", value=value, line=1))


def test_our_recipe_is_understood() -> None:
    """It has two stages, and each command of its RUN instructions is known; the table knows no other."""
    stages = parse(TEXT)
    assert [stage.alias for stage in stages] == ["build", ""]
    runs = [each.value for stage in stages for each in stage.instructions if each.name == "RUN"]
    assert sorted(command for run in runs for command in commands_of(run)) == sorted(KNOWN_STEPS)


@pytest.mark.parametrize("step", KNOWN_STEPS)
@pytest.mark.parametrize("change", ["{} --more", "sudo {}", "{} | tee x", "{}; true", "{} || true"])
def test_a_changed_step_is_refused(step: str, change: str) -> None:
    """One word more, or a shell's other ways to go on, make a step unknown."""
    with pytest.raises(RecipeError, match="not known"):
        commands_of(change.format(step))


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """A folder with a file and a folder."""
    (tmp_path / "context" / "folder" / "below").mkdir(parents=True)
    (tmp_path / "context" / "file").write_text("1")
    (tmp_path / "context" / "folder" / "below" / "other").write_text("2")
    return Context(tmp_path / "context")


def written(tmp_path: Path, body: str) -> Path:
    """Write a recipe."""
    (tmp_path / "recipe").write_text(body)
    return tmp_path / "recipe"


def test_a_small_recipe_is_followed(tmp_path: Path, context: Context) -> None:
    """Files and folders land where COPY says, from the context and from a stage; the last stage's settings count."""
    recipe = written(
        tmp_path,
        f"FROM a:1{DIGEST} AS one\nARG WHERE=folder\nWORKDIR /w\nCOPY ${{WHERE}} in\nCOPY file renamed\nENV X=1\n"
        f'FROM a:1{DIGEST}\nCOPY --from=one /w /v\nENV Y=2\nUSER 1:1\nLABEL l="a b"\nCMD ["x"]\n',
    )
    made = build(tmp_path / "out", context, {}, recipe)
    files = {each.relative_to(tmp_path / "out").as_posix() for each in (tmp_path / "out").rglob("*") if each.is_file()}
    assert files == {"v/in/below/other", "v/renamed"}
    assert {name: value for name, value in made.env.items() if name != "PATH"} == {"Y": "2"}
    assert (made.user, made.labels, made.cmd) == ("1:1", {"l": "a b"}, ["x"])


@pytest.mark.parametrize(
    "body",
    [
        "COPY --chmod=777 file x", "COPY --from=other /a b", "COPY a b c", "ENV A B", "ENV A=1 A=2", "COPY $Z x",
        "RUN true", "CMD x", "VOLUME /data",
    ],
)  # fmt: skip
def test_what_cannot_be_followed_leaves_nothing(tmp_path: Path, context: Context, body: str) -> None:
    """Options and forms without a meaning here are errors, and no half-made folder stays."""
    with pytest.raises(RecipeError):
        build(tmp_path / "out", context, {}, written(tmp_path, f"{FROM}{body}\n"))
    assert {each.name for each in tmp_path.iterdir()} == {"context", "recipe"}


def test_an_argument_that_the_recipe_lacks_is_refused(tmp_path: Path, context: Context) -> None:
    """A misspelt build argument would silently leave the default in force."""
    with pytest.raises(RecipeError, match="SOURZE"):
        build(tmp_path / "out", context, {"SOURZE": "."}, written(tmp_path, FROM))


def test_compose_gives_arguments_that_the_recipe_has() -> None:
    """Each argument of compose's build is declared."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    declared = {each.value.split("=")[0] for stage in parse(TEXT) for each in stage.instructions if each.name == "ARG"}
    assert compose["services"]["migrate"]["build"]["args"].keys() == declared, json.dumps(sorted(declared))
