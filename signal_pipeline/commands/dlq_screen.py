"""Dead letters, plans and jobs as tables, or as replay-dlq's own JSON for a program."""

import json
from collections.abc import Mapping
from typing import Any, Final

from signal_pipeline.commands.screen import OUT, cell, instant, show_table

__all__ = ["printable", "show_job", "show_jobs", "show_json", "show_letter", "show_letters", "show_plan"]

_LETTERS: Final = ("id", "status", "class", "code", "attempts", "failed last", "place", "event")
_SAMPLES: Final = ("id", "class", "code", "attempts", "failed last", "event")
_JOBS: Final = ("job", "status", "replayed", "skipped", "total", "ordered", "by", "reason")
_FACTS: Final = (
    "dlq_id", "status", "failure_class", "code", "message", "disposition", "attempts", "consumer_group", "function",
    "build", "event_id", "event_source", "signal_id", "traceparent", "sha256",
)  # fmt: skip
_TIMES: Final = ("original_timestamp", "first_failed_at", "last_failed_at", "recorded_at", "next_attempt_at")


def show_json(answer: Any) -> None:
    """Print an answer as JSON, with nothing around it."""
    OUT.print(json.dumps(answer, indent=2, ensure_ascii=False), markup=False)


def show_letters(page: Mapping[str, Any]) -> None:
    """Print one page of dead letters, and how to get the next."""
    rows = (
        (
            each["dlq_id"], each["status"], each["failure_class"], each["code"], each["attempts"],
            instant(each["last_failed_at"]), _place(each), each["event_id"],
        )
        for each in page["dead_letters"]
    )  # fmt: skip
    show_table("Dead letters, newest failure first", _LETTERS, rows)
    if page["cursor"] is not None:
        OUT.print(f"more: the same command with --cursor {page['cursor']}", markup=False)


def show_letter(letter: Mapping[str, Any]) -> None:
    """Print one dead letter: where it came from, why and how often it failed, and what it holds."""
    facts = [(name, cell(letter[name])) for name in _FACTS]
    facts += [(name, cell(instant(letter[name]))) for name in _TIMES]
    facts.insert(1, ("place", _place(letter)))
    show_table("Dead letter", ("what", "is"), facts)
    show_table("Its failures, in the order in which they were counted", ("failure",), zip(letter["failure_ids"]))
    headers = ((printable(each["name"]), each["encoding"], printable(each["text"])) for each in letter["headers"])
    show_table(f"Headers of the original record: {letter['header_count']}", ("name", "encoding", "value"), headers)
    for part in ("key", "value"):
        _show_content(part, letter[part])


def show_plan(plan: Mapping[str, Any]) -> None:
    """Print what a replay would do, and how to order it."""
    show_table("Dead letters that would be replayed", ("class", "letters"), sorted(plan["counts"].items()))
    rows = (
        (
            each["dlq_id"], each["failure_class"], each["code"], each["attempts"], instant(each["last_failed_at"]),
            each["event_id"],
        )
        for each in plan["samples"]
    )  # fmt: skip
    show_table("Some of them", _SAMPLES, rows)
    if not plan["count"]:
        OUT.print("nothing to replay: no dead letter that is scheduled or in quarantine fits")
        return
    first, last = cell(instant(plan["oldest"])), cell(instant(plan["newest"]))
    OUT.print(f"{plan['count']:,} dead letters, failed first at {first}, last at {last}; nothing has changed yet")
    OUT.print(f"replay them with: signal-pipeline dlq replay {plan['plan']}", markup=False)


def show_jobs(jobs: list[Mapping[str, Any]]) -> None:
    """Print jobs, newest first."""
    rows = (
        (
            each["job_id"], each["status"], each["replayed"], each["skipped"], each["total"],
            instant(each["created_at"]), each["requested_by"], each["reason"],
        )
        for each in jobs
    )  # fmt: skip
    show_table("Replay jobs", _JOBS, rows)


def show_job(job: Mapping[str, Any]) -> None:
    """Print one job with its filter."""
    show_jobs([job])
    OUT.print("filter: " + json.dumps(job["filter"], ensure_ascii=False), markup=False)


def _place(letter: Mapping[str, Any]) -> str:
    return f"{letter['original_topic']} {letter['original_partition']} @ {letter['original_offset']}"


def _show_content(part: str, content: Mapping[str, Any] | None) -> None:
    if content is None:
        OUT.print(f"{part}: none")
        return
    cut = ", its beginning" if content["truncated"] else ""
    OUT.print(f"{part}, {content['bytes']:,} bytes, {content['encoding']}{cut}:")
    OUT.print(printable(content["text"]), markup=False)


def printable(text: str | None) -> str | None:
    """Return text that cannot steer a terminal: whoever sent the record chose it."""
    if text is None:
        return None
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
