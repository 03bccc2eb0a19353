"""Orders a replay and follows it; switches the jobs that there are.

order ──▶ follow ──completed──▶ exit code 0
            │ ├─cancelled, failed──▶ 1
            │ └─no answer for a minute──▶ 1, the job goes on
            └─ Ctrl-C ──▶ 130, the job goes on
"""

import sys
import time
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from signal_pipeline.commands.dlq_client import DlqClient
from signal_pipeline.commands.dlq_screen import show_job, show_json
from signal_pipeline.commands.screen import Advance, progress
from signal_pipeline.errors import DependencyUnavailable, InvalidEvent, NotFound
from signal_pipeline.events.dead_letter_metadata import uuid_or_none

__all__ = ["ACTIONS", "chosen_job", "dead_letter_id", "filter_of", "follow", "order", "replay"]

ACTIONS: Final = ("pause", "resume", "cancel")
_ACTIVE: Final = frozenset({"running", "paused"})
_POLL_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 60.0  # replay-dlq may restart meanwhile; the job does not notice
_INTERRUPTED: Final = 130  # what a shell expects of a command that Ctrl-C ended


def filter_of(parts: Sequence[str]) -> dict[str, str]:
    """Return the filter that words of the form part=value make; replay-dlq judges the parts."""
    pairs = [part.partition("=") for part in parts]
    if not all(name and equals for name, equals, _ in pairs):
        raise InvalidEvent("write a filter as part=value, such as class=rejected code=23514")
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise InvalidEvent("each part of a filter is given once; several ids are separated by commas")
    return {name: value for name, _, value in pairs}


def dead_letter_id(text: str) -> UUID:
    """Return the id that a person typed; `InvalidEvent` when it is none."""
    found = uuid_or_none(text)
    if found is None:
        raise InvalidEvent(f"{text!r} is no id; list the ids with: signal-pipeline dlq ls")
    return found


def replay(
    client: DlqClient, plan: str, *, reason: str | None, key: str | None, rate: int | None, as_json: bool
) -> int:
    """Order a replay, show its progress until it ends, and return the exit code."""
    job_id = None
    try:
        job_id = order(client, plan, reason=reason, key=key, rate=rate)
        _tell(f"job {job_id} is ordered; Ctrl-C ends the watching, not the job")
        job = follow(client, job_id)
    except KeyboardInterrupt:
        _tell(_left(job_id))
        return _INTERRUPTED
    show_json(job) if as_json else show_job(job)
    return 0 if job["status"] == "completed" else 1


def order(client: DlqClient, plan: str, *, reason: str | None, key: str | None, rate: int | None = None) -> UUID:
    """Order a replay and return its job. A lost answer is no lost job: its key finds it again."""
    chosen = key or str(uuid4())
    try:
        return client.order(plan, reason=reason, key=chosen, rate=rate)
    except DependencyUnavailable as exc:
        raise DependencyUnavailable(f"{exc}; then repeat with --key {chosen}, which starts no second job") from exc


def follow(client: DlqClient, job_id: UUID) -> dict[str, Any]:
    """Show how far a job is until it ends, and return it.

    Raises:
        DependencyUnavailable: replay-dlq does not answer for a minute; the job goes on when it does.
    """
    job = client.job(job_id)
    answered_at = time.monotonic()
    with progress("replaying", job["total"]) as advance:
        while not _has_ended(job, advance):
            time.sleep(_POLL_SECONDS)
            try:
                job = client.job(job_id)
                answered_at = time.monotonic()
            except DependencyUnavailable:
                if time.monotonic() - answered_at > _PATIENCE_SECONDS:
                    raise
    return job


def chosen_job(client: DlqClient, words: Sequence[str]) -> tuple[UUID, str | None]:
    """Return which job is meant, and what is to become of it; an action alone means the active job."""
    actions, ids = [word for word in words if word in ACTIONS], [word for word in words if word not in ACTIONS]
    job_id = uuid_or_none(ids[0]) if ids else None
    if len(actions) > 1 or len(ids) > 1 or (ids and job_id is None):
        raise InvalidEvent(f"name a job by its id, an action ({', '.join(ACTIONS)}), or both")
    return job_id or _active_job(client), actions[0] if actions else None


def _active_job(client: DlqClient) -> UUID:
    active = [UUID(job["job_id"]) for job in client.jobs()["jobs"] if job["status"] in _ACTIVE]
    if not active:
        raise NotFound("no job is active; see all with: signal-pipeline dlq jobs")
    return active[0]  # replay-dlq has one at a time


def _has_ended(job: dict[str, Any], advance: Advance) -> bool:
    advance(job["replayed"] + job["skipped"])
    return job["status"] not in _ACTIVE


def _left(job_id: UUID | None) -> str:
    if job_id is None:
        return "an order that has arrived goes on; look for it with: signal-pipeline dlq jobs"
    look = f"signal-pipeline dlq jobs {job_id}"
    return f"the job goes on; look at it with: {look}\nstop it with: {look} cancel"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - standard output holds the job
