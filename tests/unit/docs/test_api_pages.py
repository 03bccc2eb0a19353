"""The pages of docs/api show all that the documents say; another test keeps them up to date."""

import json
import re

import pytest

from local.api_reference import api_pages
from signal_pipeline.serving.openapi import openapi_document
from signal_pipeline.topology import ROLES, TOPICS

PAGES = api_pages()
_LINK = re.compile(r"\[[^\]]*\]\(([a-z.-]*)#([a-z-]+)\)")


@pytest.mark.parametrize("role", [role.name for role in ROLES])
def test_every_operation_is_shown(role: str) -> None:
    """Each method and path of a role stands in a heading, on its page or on that of all roles."""
    headings = [line for page in (f"{role}.md", "service.md") for line in PAGES[page].splitlines() if line[:3] == "## "]
    shown = {operation for line in headings for operation in line[3:].split(", ")}
    paths = json.loads(openapi_document(role))["paths"]
    assert {f"{method.upper()} {path}" for path in paths for method in paths[path]} <= shown


def test_every_topic_is_shown() -> None:
    """Each topic has a heading."""
    assert {f"## {topic.name}" for topic in TOPICS} <= set(PAGES["topics.md"].splitlines())


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    """A link to a heading finds it."""
    for page, anchor in _LINK.findall(PAGES[name]):
        headings = re.findall(r"^#+ (.*)$", PAGES[page or name], re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, (page, anchor)


@pytest.mark.parametrize("name", PAGES)
def test_tables_have_their_columns(name: str) -> None:
    """No row has more or fewer cells than its head, so no text breaks a table."""
    for table in re.findall(r"(?:^\|.*\n)+", PAGES[name], re.MULTILINE):
        assert len({row.count("|") for row in table.splitlines()}) == 1, table
