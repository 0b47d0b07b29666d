"""Addresses: a new one is asked whether it is the person's, and the old ones are told of a change (R3, N3)."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.notices.notices import ADDRESS, posted, verified
from nightlatch.app.tickets import issue
from nightlatch.domain.mail.letters import Notice, Subject
from nightlatch.domain.records import Record, TicketKind, User, UserKind, UserStatus
from nightlatch.domain.time import DAY, HOUR

CONFIRMED_WITHIN = 1 * DAY
ASKED_AT_MOST = 5
"""So often in an hour an address is asked, whoever names it: it may be that of somebody who never heard of us."""


async def addresses_changed(ports: Ports, before: User, after: User, now: int) -> tuple[Record, ...]:
    """What a change of addresses sends: to every address that was verified, also one that goes, and to new ones."""
    if before.emails == after.emails:
        return ()
    about = Subject(notice=Notice.ADDRESSES_CHANGED, at=now)
    return (*posted(ports, after, about, now, to=verified(before)), *await to_confirm(ports, after, now, before=before))


async def to_confirm(ports: Ports, user: User, now: int, *, before: User | None = None) -> tuple[Record, ...]:
    """A link for each address of a person that is new and not verified; tickets and mails."""
    if ports.mailing is None or user.kind is not UserKind.PERSON or user.status is not UserStatus.ACTIVE:
        return ()
    known = {address.value for address in before.emails} if before else set()
    records: list[Record] = []
    for address in user.emails:
        if address.verified_at is None and address.value not in known and await _may_ask(ports, address.value):
            records += _asked(ports, user, address.value, now)
    return tuple(records)


async def _may_ask(ports: Ports, address: str) -> bool:
    key = f"notice:confirm:{ports.sealer.digest('mail-address', address.encode()).hex()}"
    return await ports.ephemeral.increment(key, ttl=HOUR) <= ASKED_AT_MOST


def _asked(ports: Ports, user: User, address: str, now: int) -> tuple[Record, ...]:
    token, ticket = issue(
        ports,
        now,
        TicketKind.MAIL_LINK,
        root=user.id,
        user_id=user.id,
        ttl=CONFIRMED_WITHIN,
        data={ADDRESS: address},
    )
    link = f"{ports.site.public_url}/mail/confirm?ticket={token}"
    about = Subject(notice=Notice.CONFIRM_ADDRESS, at=now, link=link)
    return (ticket, *posted(ports, user, about, now, to=(address,), ttl=CONFIRMED_WITHIN))
