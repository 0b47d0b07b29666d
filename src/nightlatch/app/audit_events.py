"""Read the audit events: in pages for applications, whole for the export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import personal_of
from nightlatch.app.messages import EventAnswer, Page
from nightlatch.app.paging import checked_limit
from nightlatch.app.users.reference import known_name
from nightlatch.domain.errors import Invalid
from nightlatch.domain.ids import USER, is_id
from nightlatch.domain.records import User
from nightlatch.domain.time import moment
from nightlatch.ports.directory import EventFilter, LoggedEvent

EXPORT_PAGE = 500
NOBODY = "-"
_LONGEST_CURSOR = 18


async def list_events(
    ports: Ports, _caller: Caller, which: EventFilter, cursor: str | None = None, limit: int = 50
) -> Page[EventAnswer]:
    """A page of events in the order of the gapless sequence; the cursor is the last ``seq``.

    ``which.user_id`` may be a user name. Raises ``Invalid``.
    """
    limit = checked_limit(limit)
    after = _after(cursor)
    which = await _with_user_id(ports, which)
    logged = await ports.directory.events(which, after=after, limit=limit + 1)
    page = logged[:limit]
    return Page(
        data=await _answers(ports, page, {}),
        next_cursor=str(page[-1].seq) if len(logged) > limit else None,
    )


async def export_events(
    ports: Ports, _caller: Caller, which: EventFilter, *, after: int = 0
) -> AsyncIterator[EventAnswer]:
    """All events from a place in the sequence on, as they stand; what is appended meanwhile comes too."""
    which = await _with_user_id(ports, which)
    users: dict[str, User | None] = {}
    while page := await ports.directory.events(which, after=after, limit=EXPORT_PAGE):
        for answer in await _answers(ports, page, users):
            yield answer
        after = page[-1].seq
        # Whoever is erased while the export runs must not stay readable for the rest of it.
        users.clear()


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR):
        raise Invalid.field("/cursor", "invalid_cursor", "Pass next_cursor of the page before, as it is.")
    return int(cursor)


async def _with_user_id(ports: Ports, which: EventFilter) -> EventFilter:
    """The filter by id, so that a deleted user's events are found by name too: names are never given twice."""
    if which.user_id is None or is_id(which.user_id, USER):
        return which
    user = await ports.directory.user(known_name(which.user_id))
    return replace(which, user_id=user.id if user else NOBODY)


async def _answers(ports: Ports, page: Sequence[LoggedEvent], users: dict[str, User | None]) -> list[EventAnswer]:
    """The events with their personal fields opened, of those users whose key there is."""
    answers = []
    for logged in page:
        sealed_for = logged.event.user_id if logged.event.personal is not None else None
        if sealed_for is not None and sealed_for not in users:
            users[sealed_for] = await ports.directory.user(sealed_for)
        answers.append(_answer(ports, logged, users.get(sealed_for) if sealed_for else None))
    return answers


def _answer(ports: Ports, logged: LoggedEvent, user: User | None) -> EventAnswer:
    event = logged.event
    return EventAnswer(
        seq=logged.seq,
        id=event.id,
        at=moment(event.at),
        type=event.type,
        actor=event.actor,
        user=event.user_id,
        application=event.application_id,
        authentication=event.authentication_id,
        factor=event.factor_id,
        factor_kind=event.factor_kind,
        outcome=event.outcome,
        reason=event.reason,
        data=event.data,
        personal=personal_of(ports, user, event),
    )
