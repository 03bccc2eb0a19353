"""What may be deployed as a variable of a function here. Pure: variables in, a decision out.

a setting of behaviour, such as BATCH_SIZE     the next process gets it
what a platform decides: role, port, addresses remembered and shown, but this machine decides it
ports and folders of this pipeline, secrets    refused
what decides which program runs, such as PATH  refused
anything else                                  the next process gets it, as on every platform
"""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import SecretStr, ValidationError

from signal_pipeline.settings import Settings

__all__ = ["NotDeployable", "sorted_out"]

_SECRETS: Final = frozenset(
    name.upper() for name, field in Settings.model_fields.items() if field.annotation is SecretStr
)
_SETTINGS: Final = frozenset(name.upper() for name in Settings.model_fields)
_OWN: Final = re.compile(r"STATE_DIR|PORT_OFFSET|[A-Z_]+_PORT")
_LOADER: Final = re.compile(
    r"(LD|PYTHON|DYLD|GCONV|MALLOC|GLIBC|GIO|OPENSSL|SSL|PG)\w*|\w+_PROXY|PATH|HOME|IFS|SHELL|BASH_ENV|ENV"
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# A stack.yml is written for a cluster: its addresses there, and the variables of of-watchdog, of which none runs here.
_PLATFORM: Final = re.compile(
    r"ROLE|PORT|K_SINK|FUNCTION_(SOURCE|TARGET|SIGNATURE_TYPE)|BUILD|ENVIRONMENT|SECURITY|ALLOW_PLAINTEXT|TRUSTED_PROXIES|[A-Z_]*BIND_ADDRESS"
    r"|KAFKA_[A-Z_]+|OPENFAAS_[A-Z_]+|(REDIS|CONNECT|TRIGGER_METRICS)_URL|FUNCTION_URL_[A-Z_]+|TRIGGER_INSTANCE|TLS_[A-Z_]+|[A-Z_]+_FILE"
    r"|fprocess|mode|port|upstream_url|(read|write|exec)_timeout|healthcheck_interval|max_inflight|ready_path"
    r"|write_debug|prefix_logs|http_upstream_url|log_call_id|log_buffer_size|static_path"
)


class NotDeployable(Exception):
    """A variable that cannot be deployed here; the message names it, and never its value."""


def sorted_out(variables: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables that the process gets, and the names of those that this machine decides.

    Raises:
        NotDeployable: a variable is refused, or its value is not one of its setting.
    """
    applied, not_applied = {}, []
    for name, value in variables.items():
        setting = name.upper()  # settings are read without regard to case
        if setting in _SECRETS:
            raise NotDeployable(f"{name} is a secret: set it where the pipeline is started, in .env")
        if _OWN.fullmatch(setting):
            raise NotDeployable(f"{name} belongs to the whole pipeline: set it where the pipeline is started")
        if _LOADER.fullmatch(setting):
            raise NotDeployable(f"{name} decides which program runs, and this is always the checkout's")
        if not _NAME.fullmatch(name):
            raise NotDeployable(f"{name[:100]} is no name of a variable")
        if _PLATFORM.fullmatch(name) or _PLATFORM.fullmatch(setting):
            not_applied.append(name)
        else:
            applied[name] = value
    _check_values(applied)
    return applied, tuple(sorted(not_applied))


def _check_values(applied: Mapping[str, str]) -> None:
    if bad := [name for name, value in applied.items() if "\0" in value]:
        raise NotDeployable(f"{bad[0]} has a character that no variable can have")
    fields = {name.lower(): value for name, value in applied.items() if name.upper() in _SETTINGS}
    try:
        Settings(_env_file=None, **fields)  # type: ignore[arg-type]  # pydantic parses the texts
    except ValidationError as exc:
        told = [f"{'.'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in exc.errors()]
        raise NotDeployable("; ".join(told)) from None
