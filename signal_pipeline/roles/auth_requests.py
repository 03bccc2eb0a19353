"""What auth takes: JSON bodies of one form each, and access tokens in the Authorization header."""

from typing import Final, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from signal_pipeline.errors import InvalidEvent, Unauthenticated, UnsupportedContent
from signal_pipeline.security.tokens import bearer_token
from signal_pipeline.serving.body import read_body

__all__ = ["AccessToken", "Credentials", "EitherToken", "RefreshToken", "parsed", "presented"]

_MAX_BODY_BYTES: Final = 16 * 1024

_Body = TypeVar("_Body", bound=BaseModel)


class Credentials(BaseModel):
    """A user's name and password."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    username: str = Field(min_length=1, max_length=256)
    password: str = Field(min_length=1, max_length=1024)


class RefreshToken(BaseModel):
    """A refresh token."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    refresh_token: str = Field(min_length=1, max_length=8192)


class AccessToken(BaseModel):
    """An access token."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    token: str = Field(min_length=1, max_length=8192, validation_alias=AliasChoices("token", "access_token"))


class EitherToken(BaseModel):
    """A token of either type."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    token: str = Field(
        min_length=1, max_length=8192, validation_alias=AliasChoices("token", "refresh_token", "access_token")
    )


async def presented(request: Request, model: type[AccessToken] | type[EitherToken]) -> str:
    """Return the token of a request: from its Authorization header, else from its JSON body.

    Raises:
        Unauthenticated: a GET without a token.
        PipelineError: as `parsed`.
    """
    token = bearer_token([("authorization", value) for value in request.headers.getlist("authorization")])
    if token is not None:
        return token
    if request.method == "GET":
        raise Unauthenticated("send Authorization: Bearer")
    return (await parsed(request, model)).token


async def parsed(request: Request, model: type[_Body]) -> _Body:
    """Return the JSON body as `model`.

    Raises:
        UnsupportedContent: it is no application/json.
        PayloadTooLarge: it is longer than 16 KiB.
        InvalidEvent: it is something else; the message names a wrong field and never its value.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedContent("send application/json")
    try:
        return model.model_validate_json(await read_body(request, _MAX_BODY_BYTES))
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in error["loc"]) if error["loc"] else "body"
        raise InvalidEvent(f"{field[:64]}: {error['msg'][:200]}", code="invalid_request") from None
