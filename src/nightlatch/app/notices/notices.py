"""Notices: queued in the very change of which they tell, to every verified address of its user (N1, R3).

    change = Change(…, new=(*records, *way_added(ports, user, factor, now, first=True)))

Nobody without a verified address gets any, and where no mail server is named nothing is queued.
"""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.deliver.messages import queue
from nightlatch.app.tickets import issue
from nightlatch.domain.mail.letters import Notice, Subject
from nightlatch.domain.records import Channel, Factor, Record, TicketKind, User
from nightlatch.domain.time import DAY

SENT_WITHIN = 2 * DAY
"""A mail server may be down for a weekend's day; what is older than this surprises more than it helps."""

OBJECTION_LIFE = 7 * DAY
FEW_CODES = 3
"""So many codes left are few."""

# The notes of a mailed link's ticket.
OBJECT_TO = "object_to"
"""The factor that an objection removes."""
ADDRESS = "address"
"""The address that a confirmation verifies."""


def way_added(ports: Ports, user: User, factor: Factor, now: int, *, first: bool) -> tuple[Record, ...]:
    """A factor counts from now on; with a link by which its owner objects."""
    if not _reached(ports, user):
        return ()
    token, ticket = issue(
        ports,
        now,
        TicketKind.MAIL_LINK,
        root=user.id,
        user_id=user.id,
        ttl=OBJECTION_LIFE,
        data={OBJECT_TO: factor.id},
    )
    notice = Notice.FIRST_WAY if first else Notice.WAY_ADDED
    link = f"{ports.site.public_url}/mail/object?ticket={token}"
    about = Subject(notice=notice, at=now, kind=factor.kind.value, label=factor.label, link=link)
    return (ticket, *told(ports, user, about, now, event=factor.id))


def way_removed(ports: Ports, user: User, factor: Factor, now: int) -> tuple[Record, ...]:
    """A factor that counted is gone."""
    about = Subject(notice=Notice.WAY_REMOVED, at=now, kind=factor.kind.value, label=factor.label)
    return told(ports, user, about, now, event=factor.id)


def way_unlocked(ports: Ports, user: User, factor: Factor, now: int) -> tuple[Record, ...]:
    """An operator let a factor be used again that had stopped."""
    about = Subject(notice=Notice.WAY_UNLOCKED, at=now, kind=factor.kind.value, label=factor.label)
    return told(ports, user, about, now, event=factor.id)


def new_codes(ports: Ports, user: User, factor: Factor, now: int) -> tuple[Record, ...]:
    """A new set of backup codes is in the place of the old one (L5)."""
    return told(ports, user, Subject(notice=Notice.NEW_CODES, at=now), now, event=factor.id)


def code_used(ports: Ports, user: User | None, left: int | None, now: int) -> tuple[Record, ...]:
    """A backup code was used, if ``left`` tells how many are left; a warning when these are few (L5)."""
    if left is None or user is None:
        return ()
    notice = Notice.FEW_CODES if left <= FEW_CODES else Notice.CODE_USED
    return told(ports, user, Subject(notice=notice, at=now, left=left), now)


def browser_stolen(ports: Ports, user: User | None, revoked: tuple[Record, ...], now: int) -> tuple[Record, ...]:
    """A device whose outlived token was used is ``revoked``."""
    if not revoked or user is None:
        return ()
    return told(ports, user, Subject(notice=Notice.STOLEN_BROWSER, at=now), now)


def phone_rests(ports: Ports, user: User, app: str | None, now: int) -> tuple[Record, ...]:
    """A phone is asked no more for now: strangers asked it often, or its owner said no (P5)."""
    return told(ports, user, Subject(notice=Notice.PHONE_RESTS, at=now, app=app), now)


def told(ports: Ports, user: User, about: Subject, now: int, *, event: str | None = None) -> tuple[Record, ...]:
    """The mails of one notice, one to each verified address. ``event`` is the id of what it tells of."""
    return posted(ports, user, about, now, to=verified(user), event=event)


def posted(
    ports: Ports,
    user: User,
    about: Subject,
    now: int,
    *,
    to: tuple[str, ...],
    ttl: int = SENT_WITHIN,
    event: str | None = None,
) -> tuple[Record, ...]:
    """The same mail to each of these addresses. None where there is no mail server."""
    if ports.mailing is None or not to:
        return ()
    written = ports.mailing.render(about, locale=user.locale)
    payload = {"subject": written.subject, "text": written.text, "html": written.html}
    route = {"notice": about.notice.value}
    return tuple(
        queue(
            ports,
            now,
            Channel.MAIL,
            user=user,
            payload={"to": address, **payload},
            ttl=ttl,
            about=event,
            route=route,
        )
        for address in to
    )


def verified(user: User) -> tuple[str, ...]:
    """The addresses of a user that we verified ourselves."""
    return tuple(address.value for address in user.emails if address.verified_at is not None)


def _reached(ports: Ports, user: User) -> bool:
    return ports.mailing is not None and bool(verified(user))
