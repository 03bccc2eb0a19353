"""What cannot be seen is forgotten, and seen again when it is back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from signal_pipeline.errors import DependencyUnavailable
from signal_pipeline.serving.observer import Observer


class State:
    """Something that can be out of sight; it tells whoever waits when it was looked at."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.shown: list[str] = []
        self.looked = asyncio.Event()

    async def look(self) -> None:
        """Show it, or fail."""
        self.looked.set()
        if self.error is not None:
            raise self.error
        self.shown.append("seen")

    def forget(self) -> None:
        """Show that it is unknown."""
        self.shown.append("unknown")

    async def next_look(self) -> None:
        """Wait until a look that begins from now on is over."""
        for _ in range(2):  # the first may have begun before
            self.looked.clear()
            await asyncio.wait_for(self.looked.wait(), 5)
        await asyncio.sleep(0)


@pytest.fixture
async def state() -> State:
    """Something in sight."""
    return State()


@pytest.fixture
async def observer(state: State) -> AsyncIterator[Observer]:
    """An observer that looks all the time."""
    started = Observer("state", look=state.look, forget=state.forget, seconds=0.001)
    started.start()
    yield started
    await started.stop()


@pytest.mark.usefixtures("observer")
@pytest.mark.parametrize("error", [DependencyUnavailable("it is dark"), KeyError("a bug")])
async def test_it_is_seen_lost_and_seen_again(state: State, error: Exception) -> None:
    """A look that fails, for whatever reason, forgets what was shown, and the next one that succeeds shows it again."""
    await state.next_look()
    assert set(state.shown) == {"seen"}
    state.error = error
    await state.next_look()
    assert state.shown[-1] == "unknown"
    state.error = None
    await state.next_look()
    assert state.shown[-1] == "seen"


async def test_it_ends_with_its_owner(state: State, observer: Observer) -> None:
    """After the stop nobody looks any more."""
    await state.next_look()
    await observer.stop()
    count = len(state.shown)
    await asyncio.sleep(0.01)  # ten looks' time: nothing that could be waited for happens
    assert len(state.shown) == count
