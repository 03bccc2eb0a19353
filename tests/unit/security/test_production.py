"""What production refuses at the start, and secrets from files."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.settings import Settings

STRONG = {
    name: f"{name}-of-at-least-32-characters-and-no-default"
    for name in ("jwt_secret_key", "redis_password", "emit_api_key", "service_api_key", "auth_admin_password")
}


def _production(**changes: str) -> Settings:
    return Settings(_env_file=None, environment="production", **{**STRONG, **changes})


def test_strong_secrets_are_enough() -> None:
    """Production starts, and asks every caller for a credential."""
    assert _production().secured
    assert not _production(security="off").secured
    assert not Settings(_env_file=None).secured
    assert Settings(_env_file=None, security="on").secured


@pytest.mark.parametrize("name", STRONG)
@pytest.mark.parametrize("secret", ["", "short", "super-secret-jwt-key-change-in-production", "x" * 31])
def test_a_weak_secret_is_refused_by_name_and_never_shown(name: str, secret: str) -> None:
    """Default, empty or short: the variable is named, its value is not."""
    with pytest.raises(ValidationError) as refused:
        _production(**{name: secret})
    assert name.upper() in str(refused.value)
    assert not secret or secret not in str(refused.value)


def test_a_weak_previous_key_is_refused() -> None:
    """A key that still verifies forges tokens as well as the one that signs."""
    with pytest.raises(ValidationError, match="JWT_PREVIOUS_SECRET_KEYS"):
        _production(jwt_previous_secret_keys="short")


@pytest.mark.parametrize(
    ("name", "value"), [("log_level", "debug"), ("cors_origins", "*"), ("cors_origins", "https://a.example, *")]
)
def test_careless_settings_are_refused_by_name(name: str, value: str) -> None:
    """Fine for development only."""
    Settings(_env_file=None, **{name: value})
    with pytest.raises(ValidationError, match=name.upper()):
        _production(**{name: value})


def test_a_secret_comes_from_the_file_that_its_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Platforms mount secrets; the line end of an editor does not belong to one."""
    (tmp_path / "key").write_text("  secret-of-a-file\n")
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert Settings(_env_file=None).jwt_secret_key.get_secret_value() == "secret-of-a-file"


def test_an_env_file_may_name_it_too(tmp_path: Path) -> None:
    """`.env` holds names of files as well as values."""
    (tmp_path / "url").write_text("postgresql://u:p@db:5432/x")
    (tmp_path / ".env").write_text(f"DATABASE_URL_FILE={tmp_path / 'url'}\n")
    assert Settings(_env_file=tmp_path / ".env").database_url.get_secret_value() == "postgresql://u:p@db:5432/x"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"], ids=["missing", "empty", "blank", "no text"])
def test_a_file_without_a_secret_stops_the_start(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going on with a default would be worse than not starting."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    monkeypatch.setenv("EMIT_API_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigurationError, match="EMIT_API_KEY_FILE"):
        Settings(_env_file=None)


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them holds should not be a guess."""
    (tmp_path / "key").write_text("one")
    monkeypatch.setenv("EMIT_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("EMIT_API_KEY", "two")
    with pytest.raises(ConfigurationError, match="both set"):
        Settings(_env_file=None)
