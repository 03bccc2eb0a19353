"""The commands of the runbooks that only look, as somebody on call types them, in the running pipeline."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.pipeline import Pipeline
from tests.support.runbooks import looks, run_as_written
from tests.support.sender import Sender, events

_AT_ONCE = 4  # most of a command is the start of Python


async def test_every_look_succeeds_in_a_healthy_pipeline(pipeline: Pipeline, sender: Sender) -> None:
    """Each command exists, finds what it asks for, ends by itself, and says with its exit status that all is well."""
    await sender.post_all([events(100, sender.source)])  # an audit needs something that it can look for
    report = pipeline.check(sender.sent())
    assert report.sound, str(report)

    commands = looks()
    assert len(commands) > 60
    with ThreadPoolExecutor(_AT_ONCE) as shells:
        ended = list(shells.map(lambda command: run_as_written(pipeline, command), commands))
    refused = [
        f"{command}\nexit status {each.returncode}\n{each.stdout[-500:]}{each.stderr[-500:]}"
        for command, each in zip(commands, ended, strict=True)
        if each.returncode
    ]
    assert not refused, "\n\n".join(refused)
    assert [command for command, each in zip(commands, ended, strict=True) if not each.stdout.strip()] == []
