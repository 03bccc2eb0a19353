"""Files of `name=password` lines: how a deployment hands over the passwords of several logins at once."""

from pathlib import Path

from signal_pipeline.errors import ConfigurationError

__all__ = ["read_passwords"]


def read_passwords(file: str, variable: str) -> dict[str, str]:
    """Return the passwords by name; lines that begin with # and empty ones are skipped.

    Args:
        file: Where.
        variable: The setting that named the file, for errors.

    Raises:
        ConfigurationError: the file cannot be read, or a line has no name or no password; it tells the line's number
            and never its text.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{variable} cannot be read: {getattr(exc, 'strerror', 'it is no text')}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, password = (part.strip() for part in line.partition("="))
        if not name or not password or name in found:
            raise ConfigurationError(f"{variable}, line {number}: it must be name=password, each name once")
        found[name] = password
    return found
