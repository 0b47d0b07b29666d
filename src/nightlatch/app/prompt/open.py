"""The address that opens a hosted prompt, and its first opening (X4, X5).

The address holds a single-use token, because a redirect can carry nothing else. The first
browser that follows it trades the token for a cookie and goes on to the same address without
it; a second browser that finds the token in a log or a history gets nothing.
"""

from __future__ import annotations

import hmac

import msgspec

from nightlatch.app.applications.standing import stands_by
from nightlatch.app.approving import ADDRESS_MISMATCH
from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.kept import keep
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.networks import network_of
from nightlatch.app.prompt.session import NAME, SESSION_LIFE, Elsewhere, Visit, session_hash
from nightlatch.app.tickets import TOKEN_BYTES, hash_of, issue
from nightlatch.domain.crypto.tokens import ticket_token
from nightlatch.domain.errors import Invalid, NotFound
from nightlatch.domain.ids import AUTHENTICATION, is_id
from nightlatch.domain.records import Authentication, Record, Ticket, TicketKind
from nightlatch.domain.time import holds
from nightlatch.ports.store import Change, Snapshot, UserKey


class Gone(NotFound):
    """The address is no prompt of ours, or its time is over."""

    code = "prompt_gone"
    detail = "This sign-in is over. Start again."


def issue_prompt(
    ports: Ports, now: int, authentication: Authentication, *, named: str | None = None
) -> tuple[str, Ticket]:
    """The ``prompt_url`` of an authentication, and the ticket to store in the same change.

    The ticket lives as long as the authentication and belongs to its root. ``named`` is what an
    unknown person was called: the prompt shows it where it would show a known one's name (H6).
    """
    data = None
    if named is not None and not authentication.user_known:
        data = {NAME: keep(ports, authentication.user_id, NAME, named.encode("utf-8", "replace"))}
    token, ticket = issue(
        ports,
        now,
        TicketKind.PROMPT,
        root=authentication.root,
        user_id=authentication.user_id,
        application_id=authentication.application_id,
        authentication_id=authentication.id,
        ttl=max(0, authentication.expires_at - now),
        data=data,
    )
    return f"{ports.site.public_url}/prompt/{authentication.id}?ticket={token}", ticket


async def open_prompt(ports: Ports, visit: Visit, token: str, peer: str) -> str:
    """Bind the prompt to this browser; the answer is the secret for its cookie.

    Opening again in the same browser gives the same secret. ``peer`` is the browser's address: one
    from another network than the application told is noted. Raises ``Elsewhere``, ``Gone``.
    """
    if not is_id(visit.authentication_id, AUTHENTICATION):
        raise Gone
    fresh = ticket_token(ports.entropy.bytes(TOKEN_BYTES))

    async def decide(snapshot: Snapshot) -> Decided[str]:
        now = ports.clock.now()
        ticket, authentication = _found(snapshot)
        if not await stands_by(ports, authentication.application_id):
            raise Gone
        if ticket.used_at is not None:
            return None, _same_browser(ticket, visit)
        if not holds(ticket.created_at, ticket.expires_at, now):
            raise Gone
        return _bound(ports, snapshot, authentication, ticket, fresh, peer, now), fresh

    key = UserKey(authentication=visit.authentication_id, ticket=hash_of(token))
    return await transact(ports.store, key, decide)


def _found(snapshot: Snapshot) -> tuple[Ticket, Authentication]:
    ticket, authentication = snapshot.ticket, snapshot.authentication
    if (
        ticket is None
        or authentication is None
        or ticket.kind is not TicketKind.PROMPT
        or ticket.authentication_id != authentication.id
    ):
        raise Gone
    return ticket, authentication


def _same_browser(ticket: Ticket, visit: Visit) -> str:
    secret = visit.secret
    if secret is None or not hmac.compare_digest(
        session_hash(visit.authentication_id, secret), ticket.bound_hash or b""
    ):
        raise Elsewhere
    return secret


def _bound(
    ports: Ports,
    snapshot: Snapshot,
    authentication: Authentication,
    ticket: Ticket,
    secret: str,
    peer: str,
    now: int,
) -> Change:
    bound = session_hash(authentication.id, secret)
    differs = not _same_place(authentication.ip, peer)
    session = msgspec.structs.replace(
        ticket,
        hash=bound,
        data={**ticket.data, "peer_differs": True} if differs else ticket.data,
        created_at=now,
        expires_at=now + SESSION_LIFE,
    )
    puts: tuple[Record, ...] = (msgspec.structs.replace(ticket, used_at=now, bound_hash=bound),)
    if differs:
        puts = (*puts, _suspected(authentication))
    event = make_event(
        ports,
        Caller(actor=f"person:{authentication.user_id}"),
        now,
        "prompt:opened",
        outcome="info",
        user=snapshot.user,
        application_id=authentication.application_id,
        authentication_id=authentication.id,
        data={"peer_differs": differs},
        personal={"ip": peer},
    )
    return Change(
        root=authentication.root,
        expected=snapshot.version,
        puts=puts,
        new=(session,),
        events=(event,),
    )


def _suspected(authentication: Authentication) -> Authentication:
    """What policy says of a browser that is somewhere else: nothing is put off, nothing remembered."""
    reasons = [*authentication.reasons, msgspec.to_builtins(ADDRESS_MISMATCH)]
    return msgspec.structs.replace(authentication, reasons=reasons, skippable=False, remember_for=None)


def _same_place(told: str, peer: str) -> bool:
    try:
        return network_of(told) == network_of(peer)
    except Invalid:
        return False
