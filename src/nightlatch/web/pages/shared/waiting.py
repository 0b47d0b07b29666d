"""Pages whose script waits for a phone: the answer comes at once when there is one, else after a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from nightlatch.app.waiting import look_until
from nightlatch.domain.time import SECOND
from nightlatch.web.common.closing import Closing
from nightlatch.web.pages.shared.pages import Page, PageRequest

LONGEST = 25 * SECOND

Look = Callable[[], Awaitable[str]]


async def news(request: PageRequest, key: str, look: Look, known: str) -> Page:
    """How it stands, as soon as that is something else than ``known``: ``{"state": …}``.

    Raises ``Disconnected`` when the browser goes away first.
    """
    state = await look()
    if state == known and not request.only_looking:
        closing: Closing = request.scope["litestar_app"].state.closing
        changed = look_until(request.ports, key, look, lambda state: state != known, wait=LONGEST, by="page")
        state = await closing.attend(changed, request.receive) or state
    return Page(body=msgspec.json.encode({"state": state}), media_type="application/json")
