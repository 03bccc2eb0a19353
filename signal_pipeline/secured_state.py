"""What a secured local run has generated for each of its parts: `STATE_DIR/secure/<part>.env`.

    which part is this process? ──its own file is there──▶ read it
                     └─ none, as for most commands ──────▶ read operator.env
    not secured: there is no such folder, and nothing is read

A part finds the credentials of its own job there and of no other; the environment and `.env` win over all of it.
"""

from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, PydanticBaseSettingsSource

__all__ = ["OPERATOR", "PART", "SecuredStateSource", "secured_folder"]

OPERATOR = "operator"
PART: ContextVar[str] = ContextVar("PART", default=OPERATOR)
_DEFAULT_STATE = ".local"


def secured_folder(state: Path) -> Path:
    """Return where a secured run keeps its certificates and secrets."""
    return state / "secure"


class SecuredStateSource(PydanticBaseSettingsSource):
    """The settings of this process's part; nothing where the local run is not secured, or where no env file is read.

    Args:
        settings_cls: The settings model.
        init: Arguments, which may hold the state folder.
        environment: The environment, which may hold it.
        dotenv: The env file, which may hold it; one that is not the model's own means a model apart from this machine.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        init: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
        dotenv: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        sources = (init(), _variables(environment), _variables(dotenv))
        state = next((each["state_dir"] for each in sources if each.get("state_dir")), _DEFAULT_STATE)
        usual = isinstance(dotenv, DotEnvSettingsSource) and dotenv.env_file == settings_cls.model_config["env_file"]
        self._file = _file(secured_folder(Path(state))) if usual else None

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of a field; None without one."""
        return self().get(field_name), field_name, field.annotation is None

    def __call__(self) -> dict[str, Any]:
        """Return the texts by field name."""
        return {} if self._file is None else dict(DotEnvSettingsSource(self.settings_cls, env_file=self._file)())


def _file(folder: Path) -> Path | None:
    own = folder / f"{PART.get()}.env"
    for file in (own, folder / f"{OPERATOR}.env"):
        if file.is_file():
            return file
    return None


def _variables(source: PydanticBaseSettingsSource) -> dict[str, Any]:
    return dict(source.env_vars) if isinstance(source, EnvSettingsSource) else {}
