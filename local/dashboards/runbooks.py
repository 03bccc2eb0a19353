"""The runbooks as pages of Grafana, so that whoever is called reads them beside the panel that is red.

A page's number is its place among the files in order of their names; the links of the panels are made with it.
"""

from dataclasses import dataclass
from functools import cache

from local.layout import ROOT

__all__ = ["Page", "runbook_pages"]

_FOLDER = ROOT / "monitoring" / "runbooks"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One runbook.

    Attributes:
        number: Id of the panel that shows it.
        path: Path of the file in the repository, which is how alerts name it.
        title: The file's first heading.
        text: What follows it, in Markdown.
    """

    number: int
    path: str
    title: str
    text: str


@cache
def runbook_pages() -> dict[str, Page]:
    """Return every runbook by its path."""
    pages = {}
    for number, file in enumerate(sorted(_FOLDER.glob("*.md")), start=1):
        heading, _, text = file.read_text().partition("\n")
        path = file.relative_to(ROOT).as_posix()
        pages[path] = Page(number=number, path=path, title=heading.removeprefix("# "), text=text.strip() + "\n")
    return pages
