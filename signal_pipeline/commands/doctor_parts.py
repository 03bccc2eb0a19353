"""What `doctor` looks at in the parts that run, and in the machine. Verdicts are pure; below them the reading."""

import json
import math
import shutil
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from signal_pipeline.commands.doctor_findings import Check, Finding, Level, good
from signal_pipeline.commands.kafka_tables import READERS
from signal_pipeline.commands.pages import Answer, Samples, metrics_of_roles, read_pages
from signal_pipeline.commands.screen import duration, size
from signal_pipeline.settings import Settings
from signal_pipeline.topology import ROLES

__all__ = ["PART_CHECKS", "certificate_verdict", "disk_verdict", "group_verdict", "page_verdict", "port_verdict"]
__all__ += ["python_verdict", "readiness_verdict", "secret_verdict"]

_OLDEST_PYTHON: Final = (3, 11)
_CONNECT_SECONDS: Final = 2.0
_OLD_SECONDS: Final = 60  # as the alert ConsumerLagOld
_CERTIFICATE_SECONDS: Final = 14 * 86_400  # as the alert CertificateExpiresSoon
_READY: Final = 200
_UNREADY: Final = 503


def python_verdict(version: tuple[int, int]) -> Sequence[Finding]:
    """Judge the version of Python."""
    told = f"Python {version[0]}.{version[1]}"
    if version >= _OLDEST_PYTHON:
        return good(told)
    return (_fault(f"{told}; 3.11 or newer is needed", "apt-get install python3 && rm -r .venv && make up"),)


def port_verdict(refused: Mapping[str, str], components: int) -> Sequence[Finding]:
    """Judge which components' ports do not answer, by component, with their addresses."""
    everything = len(refused) == components
    faults = [
        _fault(f"{name} does not listen at {at}", "make up" if everything else f"make start-{name}")
        for name, at in refused.items()
    ]
    return faults or good(f"{components} components listen")


def readiness_verdict(answers: Mapping[str, Answer]) -> Sequence[Finding]:
    """Judge the answers to `GET /ready`, by role; the dependency that a role names is what must be repaired."""
    found = [finding for role, answer in answers.items() for finding in _of_role(role, answer)]
    return found or good(f"{len(answers)} roles are ready")


def _of_role(role: str, answer: Answer) -> Sequence[Finding]:
    if answer.status == _READY:
        return []
    if answer.status is None:
        return [_fault(f"{role}: {answer.text}", f"make start-{role}")]
    bad = _bad_dependencies(answer.text) if answer.status == _UNREADY else {}
    if not bad:
        return [_fault(f"{role} answers {answer.status}", f"make logs-{role}")]
    return [_fault(f"{role} is not ready: {name}: {why}", f"make start-{name}") for name, why in bad.items()]


def _bad_dependencies(text: str) -> dict[str, str]:
    try:
        checks = json.loads(text)["checks"]
        return {str(name): str(said) for name, said in checks.items() if said != "ok"}
    except (ValueError, LookupError, TypeError, AttributeError):  # another server has the port
        return {}


def page_verdict(pages: Mapping[str, Samples | None]) -> Sequence[Finding]:
    """Judge which metrics pages answer, by role, and which of them miss their trigger."""
    lost = [_fault(f"the metrics page of {role} does not answer", f"make start-{role}") for role in _without(pages)]
    down = [role for role, samples in pages.items() if samples is not None and samples.get("trigger_up") == 0]
    faults = [*lost, *(_fault(f"the trigger of {role} does not run", f"make start-{role}-trigger") for role in down)]
    return faults or good(f"{len(pages)} pages answer")


def group_verdict(pages: Mapping[str, Samples | None]) -> Sequence[Finding]:
    """Judge each consumer group by the page of its role: a member, its breaker closed, its lag young."""
    found = [finding for group, _ in READERS for finding in _of_group(group, pages.get(group))]
    return found or good(f"{len(READERS)} groups have members and keep up")


def _of_group(group: str, samples: Samples | None) -> Sequence[Finding]:
    trigger = f"{group}-trigger"
    if samples is None:
        return [_fault(f"{group}: its metrics page, which would tell, does not answer", f"make start-{group}")]
    if samples.get("trigger_up") == 0:
        return [_fault(f"{group} has no member: its trigger does not run", f"make start-{trigger}")]
    lag, age = samples.get("consumer_lag", math.nan), samples.get("consumer_lag_seconds", math.nan)
    if math.isnan(lag):
        return [_fault(f"{group} has no member yet, or Kafka does not tell its lag", f"make logs-{trigger}")]
    found = []
    if samples.get("trigger_breaker_open") == 1:
        what = f"{group} waits because most events fail"
        found.append(Finding(level=Level.WARNING, what=what, fix=f"make logs-{group}"))
    if age > _OLD_SECONDS:
        what = f"{group} is {lag:,.0f} records behind, the oldest waits for {duration(age)}"
        found.append(Finding(level=Level.WARNING, what=what, fix=f"make logs-{trigger}"))
    return found


def certificate_verdict(pages: Mapping[str, Samples | None], now: float) -> Sequence[Finding]:
    """Judge the certificates that roles serve, by their metrics pages; `now` in seconds since 1970."""
    name = "tls_certificate_expiry_timestamp_seconds"
    left = {role: samples[name] - now for role, samples in pages.items() if samples is not None and name in samples}
    found = [_certificate(role, seconds) for role, seconds in left.items() if seconds < _CERTIFICATE_SECONDS]
    return found or good(f"{len(left)} roles serve HTTPS with a valid one" if left else "no role serves HTTPS")


def _certificate(role: str, seconds: float) -> Finding:
    ends = f"ends in {duration(seconds)}" if seconds > 0 else "is no longer valid"
    fix = f"renew TLS_CERT_FILE, then make stop-{role} start-{role}"
    return Finding(level=Level.WARNING if seconds > 0 else Level.FAULT, what=f"that of {role} {ends}", fix=fix)


def disk_verdict(free: int, least: int) -> Sequence[Finding]:
    """Judge the free disk: below `least` bytes the emission stops; below twice that it soon will."""
    fix = "make clean, or free space, or lower MIN_FREE_DISK_BYTES"
    if free < least:
        return (_fault(f"{size(free)} free; below {size(least)} emission stops", fix),)
    if free < 2 * least:
        return (Finding(level=Level.WARNING, what=f"{size(free)} free; emission stops at {size(least)}", fix=fix),)
    return good(f"{size(free)} free")


def secret_verdict(weak: Sequence[str]) -> Sequence[Finding]:
    """Name the secrets with which production would not start."""
    if not weak:
        return good("each is one of your own")
    what = f"for development only: {', '.join(weak)}"
    return (Finding(level=Level.HINT, what=what, fix="openssl rand -hex 32, for each, into .env"),)


def _without(pages: Mapping[str, Samples | None]) -> list[str]:
    return [role for role, samples in pages.items() if samples is None]


def _fault(what: str, fix: str) -> Finding:
    return Finding(level=Level.FAULT, what=what, fix=fix)


def _refused(settings: Settings) -> Sequence[Finding]:
    addresses = {
        "postgres": urlsplit(settings.database_url.get_secret_value()).netloc.rpartition("@")[2],
        "kafka": settings.kafka_bootstrap_servers.partition(",")[0],
        "redis": urlsplit(settings.redis_url).netloc.rpartition("@")[2],
        "connect": urlsplit(settings.connect_url).netloc,
        "prometheus": f"127.0.0.1:{settings.prometheus_port}",
    }
    return port_verdict({name: at for name, at in addresses.items() if not _listens(at)}, len(addresses))


def _listens(address: str) -> bool:
    url = urlsplit(f"//{address}")
    try:
        with socket.create_connection((url.hostname or "127.0.0.1", url.port or 0), timeout=_CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _readiness(settings: Settings) -> Sequence[Finding]:
    return readiness_verdict(
        read_pages(settings, {role.name: f"{settings.function_url(role.name)}/ready" for role in ROLES})
    )


def _disk(settings: Settings) -> Sequence[Finding]:
    folder = next(each for each in (settings.state_dir, Path.cwd()) if each.exists())
    return disk_verdict(shutil.disk_usage(folder).free, settings.min_free_disk_bytes)


PART_CHECKS: Final = (
    Check(name="Python version", look=lambda _: python_verdict(sys.version_info[:2])),
    Check(name="ports", look=_refused),
    Check(name="readiness", look=_readiness),
    Check(name="metrics pages", look=lambda settings: page_verdict(metrics_of_roles(settings))),
    Check(name="consumer groups", look=lambda settings: group_verdict(metrics_of_roles(settings)), needs="kafka"),
    Check(name="certificates", look=lambda settings: certificate_verdict(metrics_of_roles(settings), time.time())),
    Check(name="free disk", look=_disk),
    Check(name="secrets", look=lambda settings: secret_verdict(settings.weak_secrets())),
)
