"""What the links of mails do, when somebody presses the button of the page that they show (X7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import usable
from nightlatch.app.events import factor_event, make_event
from nightlatch.app.factors.remove import drop_factor
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.notices.notices import ADDRESS, OBJECT_TO
from nightlatch.app.step_up import Leave
from nightlatch.app.tickets import hash_of
from nightlatch.domain.errors import NotFound
from nightlatch.domain.records import Factor, FactorStatus, Ticket, TicketKind, User
from nightlatch.domain.time import holds
from nightlatch.ports.store import Change, Snapshot, UserKey


class MailLinkDead(NotFound):
    """The link was used, is too old, or was never one: which of these is not told."""

    detail = "This link works once, and not for ever."


async def confirm_address(ports: Ports, token: str, peer: str) -> None:
    """Whoever has the link reads mail at its address: from now on it is verified. Raises ``MailLinkDead``."""

    async def decide(snapshot: Snapshot, user: User, ticket: Ticket, now: int) -> Change:
        wanted = ticket.data.get(ADDRESS)
        if wanted is None or all(address.value != wanted for address in user.emails):
            raise MailLinkDead
        emails = tuple(
            replace(address, verified_at=address.verified_at or now) if address.value == wanted else address
            for address in user.emails
        )
        event = make_event(
            ports, _caller(user), now, "address:verified", user=user, personal={"address": wanted, "ip": peer}
        )
        puts = (replace(user, emails=emails, updated_at=now), replace(ticket, used_at=now))
        return Change(root=user.id, expected=snapshot.version, puts=puts, events=(event,))

    await _use(ports, token, decide)


async def object_to_way(ports: Ports, token: str, peer: str) -> None:
    """The owner says that a factor is not theirs: it is dead, and so is every device. Raises ``MailLinkDead``.

    It needs no approval (B1): the notice went to verified addresses alone, and who set the factor up can approve
    anything by it.
    """

    async def decide(snapshot: Snapshot, user: User, ticket: Ticket, now: int) -> Change:
        factor = _objected(snapshot, ticket)
        change, _ = await drop_factor(ports, _caller(user), snapshot, factor.id, Leave(approved=True), now)
        event = factor_event(
            ports,
            _caller(user),
            now,
            "factor:objected",
            user,
            factor,
            personal={"label": factor.label, "ip": peer},
        )
        return replace(change, puts=(*change.puts, replace(ticket, used_at=now)), events=(*change.events, event))

    await _use(ports, token, decide)


async def _use(ports: Ports, token: str, decide: Callable[[Snapshot, User, Ticket, int], Awaitable[Change]]) -> None:
    async def on(snapshot: Snapshot) -> Decided[None]:
        now = ports.clock.now()
        ticket, user = snapshot.ticket, snapshot.user
        if ticket is None or ticket.kind is not TicketKind.MAIL_LINK or user is None or not usable(user):
            raise MailLinkDead
        if ticket.used_at is not None or not holds(ticket.created_at, ticket.expires_at, now):
            raise MailLinkDead
        return await decide(snapshot, user, ticket, now), None

    await transact(ports.store, UserKey(ticket=hash_of(token)), on)


def _objected(snapshot: Snapshot, ticket: Ticket) -> Factor:
    for factor in snapshot.factors:
        if factor.id == ticket.data.get(OBJECT_TO) and factor.status is FactorStatus.ACTIVE:
            return factor
    raise MailLinkDead


def _caller(user: User) -> Caller:
    """Who reads a user's mail acts as that user."""
    return Caller(actor=f"person:{user.id}")
