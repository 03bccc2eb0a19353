"""What func's middleware calls: a beginning, readiness that follows the dependencies, an end that closes clients."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from signal_pipeline.errors import ConfigurationError
from signal_pipeline.serving.func_adapter import FuncInstance

if TYPE_CHECKING:
    from signal_pipeline.serving.app import FunctionApp


class App:
    """An application that counts what is asked of it; its readiness can be chosen."""

    def __init__(self, *, fault: Exception | None = None) -> None:
        self.fault = fault
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()

    async def open(self) -> None:
        """Open, or fail as told."""
        self.opened.set()
        if self.fault:
            raise self.fault

    async def ready(self) -> bool:
        """Always, once it is open."""
        return True

    async def close(self) -> None:
        """Take a moment, as clients do."""
        await asyncio.sleep(0)
        self.closed.set()


def life(app: App) -> list[Any]:
    """Run an application from start to stop in a loop of its own, as the middleware does; returns what was seen."""
    seen: list[Any] = []

    async def middleware() -> None:
        one = FuncInstance(cast("FunctionApp", app))
        seen.append(one.ready()[0])
        one.start({})
        await app.opened.wait()
        await asyncio.sleep(0)
        seen.extend([one.alive()[0], one.ready()[0]])
        one.stop()
        seen.append(one.ready()[0])

    asyncio.run(middleware())
    return seen


def test_from_start_to_stop() -> None:
    """Not ready before it looked, ready when the dependencies answer, not ready when it ends; alive throughout."""
    assert life(App()) == [False, True, True, False]


def test_the_loops_end_waits_for_the_clients() -> None:
    """The middleware's loop ends right behind `stop`; the clients, whose closing takes a moment, are closed by then."""
    app = App()
    life(app)
    assert app.closed.is_set()


def test_a_start_that_fails_ends_nothing() -> None:
    """With a metrics port that is taken the function lives, is not ready, and is closed in the end."""
    app = App(fault=ConfigurationError("the port is taken"))
    assert life(app) == [False, True, False, False]
    assert app.closed.is_set()


def test_an_end_without_a_beginning() -> None:
    """`stop` before `start`, as when the middleware could not bind its port, is nothing."""
    FuncInstance(cast("FunctionApp", App())).stop()
