"""Create a user."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event, new_audit_key
from nightlatch.app.messages import NewUser, UserAnswer
from nightlatch.app.notices.addresses import to_confirm
from nightlatch.app.users.answers import user_answer
from nightlatch.app.users.checks import (
    MOST_ADDRESSES,
    MOST_GROUPS,
    MOST_NETWORKS,
    check_kind_rules,
    checked_expiry,
)
from nightlatch.domain import contact, naming
from nightlatch.domain.errors import Conflict
from nightlatch.domain.fields import Problems
from nightlatch.domain.ids import USER
from nightlatch.domain.records import Address, User
from nightlatch.ports.store import Change, Duplicate, Outcome

TAKEN = "This user name is taken, or was: names are never given twice."


async def create_user(ports: Ports, caller: Caller, new: NewUser) -> UserAnswer:
    """Create a person or a service account.

    Raises ``Invalid`` with every bad field, and ``Conflict`` ``username_taken``, also after the user was deleted.
    """
    now = ports.clock.now()
    user = new_user_record(ports, now, new)
    event = make_event(
        ports,
        caller,
        now,
        "user:created",
        user=user,
        data={"kind": user.kind.value},
        personal={"username": user.username},
    )
    new_records = (user, *await to_confirm(ports, user, now))
    try:
        outcome = await ports.store.commit(Change(root=user.id, expected=0, new=new_records, events=(event,)))
    except Duplicate:
        raise Conflict(TAKEN, code="username_taken") from None
    if outcome is not Outcome.APPLIED:
        raise Conflict
    return user_answer(user)


def new_user_record(ports: Ports, now: int, new: NewUser, *, at: str = "") -> User:
    """The record of a new user, everything checked. Raises ``Invalid``, its pointers below ``at``."""
    problems = Problems()
    id_ = ports.new_id(USER, now)
    emails = problems.each(f"{at}/emails", contact.email, new.emails, MOST_ADDRESSES)
    phones = problems.each(f"{at}/phones", contact.phone, new.phones, MOST_ADDRESSES)
    user = User(
        id=id_,
        username=problems.take(f"{at}/username", naming.normal_username, new.username, ""),
        kind=new.kind,
        display_name=problems.optional(f"{at}/display_name", naming.display_name, new.display_name),
        groups=problems.each(f"{at}/groups", naming.group_name, new.groups, MOST_GROUPS),
        emails=tuple(Address(value) for value in emails),
        phones=tuple(Address(value) for value in phones),
        locale=problems.optional(f"{at}/locale", contact.locale, new.locale),
        owner=problems.optional(f"{at}/owner", naming.owner, new.owner),
        expires_at=problems.optional(f"{at}/expires_at", checked_expiry, new.expires_at),
        networks=problems.each(f"{at}/networks", contact.network, new.networks, MOST_NETWORKS),
        audit_key=new_audit_key(ports, id_),
        created_at=now,
        updated_at=now,
    )
    if problems.none_below(f"{at}/owner", f"{at}/expires_at", f"{at}/networks"):
        check_kind_rules(problems, user, now, at=at)
    problems.refuse()
    return user
