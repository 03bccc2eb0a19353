"""Secrets from files: `JWT_SECRET_KEY_FILE` names the file that holds `JWT_SECRET_KEY`.

Platforms hand secrets to a process as files, which no process list, crash report or child process shows.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, PydanticBaseSettingsSource

from signal_pipeline.errors import ConfigurationError

__all__ = ["SecretFileSource", "secret_file"]

_SUFFIX = "_file"
_MAY_BE_EMPTY = frozenset({"jwt_previous_secret_keys"})  # there are none before the first exchange of keys


def secret_file(settings_cls: type[BaseSettings], field_name: str) -> str | None:
    """Return the file that holds a secret, as the environment or `.env` names it; None when no file does."""
    name = field_name + _SUFFIX
    return os.environ.get(name.upper()) or DotEnvSettingsSource(settings_cls).env_vars.get(name) or None


class SecretFileSource(PydanticBaseSettingsSource):
    """The secret fields of a settings model whose files a source names.

    Args:
        settings_cls: The settings model.
        names: Where the names of the files stand: the environment, or an env file.
    """

    def __init__(self, settings_cls: type[BaseSettings], names: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._variables = dict(names.env_vars) if isinstance(names, EnvSettingsSource) else {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of the file that belongs to a field; None without one.

        Raises:
            ConfigurationError: the file cannot be read or is empty, or the secret is given in both ways.
        """
        path = self._variables.get(field_name + _SUFFIX)
        if field.annotation is not SecretStr or not path:
            return None, field_name, False
        variable = field_name.upper()
        if self._variables.get(field_name):
            raise ConfigurationError(f"{variable} and {variable}_FILE are both set: set one of them")
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", "it is no text")
            raise ConfigurationError(f"{variable}_FILE cannot be read: {reason}") from None
        if not secret and field_name not in _MAY_BE_EMPTY:
            raise ConfigurationError(f"{variable}_FILE names an empty file")
        return secret, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the secrets by field name."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: secret for name, secret in found.items() if secret is not None}
