"""Configuration files from templates: every placeholder must have a value, so that none is left to a default."""

from pathlib import Path
from string import Template

__all__ = ["render", "write"]

_TEMPLATES = Path(__file__).parent / "templates"


def render(name: str, **values: object) -> str:
    """Return the template with its `${placeholders}` filled in; `KeyError` names one without a value."""
    return Template((_TEMPLATES / name).read_text()).substitute(values)


def write(name: str, folder: Path, **values: object) -> Path:
    """Render a template into the folder under its own name and return the file, readable by its owner only."""
    target = folder / name
    target.touch(mode=0o600)
    target.write_text(render(name, **values))
    return target
