"""Waiting that ends early: when the client goes away, and when this process is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

from litestar.types import Receive

from nightlatch.web.common.body import Disconnected

T = TypeVar("T")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Closing:
    """Whether this process is on its way out. The server only closes connections that have been
    answered, so whoever waits must be told before it counts its patience.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def begin(self) -> None:
        """From now on nobody waits."""
        self._event.set()

    @contextlib.asynccontextmanager
    async def watching_signals(self) -> AsyncIterator[None]:
        """Listen to the signals that stop the server, before its own handler hears of them.

        Outside the main thread (a server inside a test) there are no signals to listen to.
        """
        loop = asyncio.get_running_loop()
        chained = [_chain(number, loop, self.begin) for number in _SIGNALS]
        try:
            yield
        finally:
            self.begin()
            for restore in chained:
                restore()

    async def attend(self, work: Coroutine[Any, Any, T], receive: Receive) -> T | None:
        """The work's result; None when this process stops first. Raises ``Disconnected`` when the
        client goes away first. Either way the work is cancelled, and is over on return.
        """
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(_disconnected(receive))
        stopping = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait((working, leaving, stopping), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if leaving.done():
                raise Disconnected
            return None
        finally:
            for task in (working, leaving, stopping):
                task.cancel()
            await asyncio.gather(working, leaving, stopping, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _chain(number: int, loop: asyncio.AbstractEventLoop, begin: Callable[[], None]) -> Callable[[], None]:
    previous = signal.getsignal(number)
    if not callable(previous):
        return lambda: None
    heard = previous

    def handle(signal_number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)
        heard(signal_number, frame)

    try:
        signal.signal(number, handle)
    except ValueError:
        return lambda: None
    return lambda: _restore(number, handle, heard)


def _restore(number: int, ours: object, previous: Callable[[int, FrameType | None], Any]) -> None:
    """Put the previous handler back, unless somebody replaced ours meanwhile."""
    if signal.getsignal(number) is ours:
        signal.signal(number, previous)
