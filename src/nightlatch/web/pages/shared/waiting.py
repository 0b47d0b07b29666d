"""Pages whose script waits for a phone: the answer comes at once when there is one, else after a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from nightlatch.domain.time import SECOND
from nightlatch.web.common.closing import Closing
from nightlatch.web.pages.shared.pages import Page, PageRequest

LONGEST = 25 * SECOND
REREAD = 5 * SECOND
"""A wake-up is a hint and may be lost, so a request that waits looks again this often."""

Look = Callable[[], Awaitable[str]]


async def news(request: PageRequest, key: str, look: Look, known: str) -> Page:
    """How it stands, as soon as that is something else than ``known``: ``{"state": …}``.

    Raises ``Disconnected`` when the browser goes away first.
    """
    state = await look()
    if state == known and not request.only_looking:
        closing: Closing = request.scope["litestar_app"].state.closing
        state = await closing.attend(_changed(request, key, look, known), request.receive) or state
    return Page(body=msgspec.json.encode({"state": state}), media_type="application/json")


async def _changed(request: PageRequest, key: str, look: Look, known: str) -> str:
    clock = request.ports.clock
    ends = clock.now() + LONGEST
    async with request.ports.wakeups.subscribe(key) as changed:
        while True:
            state = await look()
            left = ends - clock.now()
            if state != known or left <= 0:
                return state
            await changed.wait(min(left, REREAD))
