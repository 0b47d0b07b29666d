"""A phone is asked for a sign-in."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.push.opening import Asking, open_push, phones_of
from nightlatch.app.push.sealed import number_place
from nightlatch.domain.crypto.canonical import action_hash
from nightlatch.domain.errors import Refusal
from nightlatch.domain.factors import push
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Authentication, Challenge, Factor, User
from nightlatch.ports.store import Change, Snapshot


async def ask_for_sign_in(
    ports: Ports,
    caller: Caller,
    snapshot: Snapshot,
    user: User,
    authentication: Authentication,
    factor: Factor,
    now: int,
    *,
    remember: bool,
) -> tuple[Change, Challenge | Refusal]:
    """The change that asks an offered phone for an open authentication, or tells why it is not asked.

    Asked again, the challenge before is dead; it counts as another.
    """
    a = authentication
    kept = await ports.catalog.application(a.application_id)
    asking = Asking(
        purpose="sign_in",
        origin=a.id,
        application=a.application_id,
        application_name=kept.application.name if kept else None,
        action=a.action,
        action_hash=action_hash(a.action_details) if a.action_details is not None else None,
        known=a.device_known,
        ends_at=a.expires_at,
        authentication_id=a.id,
        more={"remember": remember},
    )
    change, opened = open_push(ports, caller, snapshot, user, factor, asking, now)
    return change, opened if isinstance(opened, Refusal) else opened.challenge


def number_of(ports: Ports, challenge: Challenge) -> str | None:
    """The number that is shown where the person signs in; None where there is none. Raises ``SealBroken``."""
    if challenge.kind is not FactorKind.PUSH or challenge.sealed is None:
        return None
    return ports.sealer.open(challenge.sealed, number_place(challenge.id, challenge.user_id)).decode()


def last_push(snapshot: Snapshot) -> Challenge | None:
    """The push of a sign-in that was opened last."""
    pushes = [challenge for challenge in snapshot.challenges if challenge.kind is FactorKind.PUSH]
    pending = [push.state_of(phone.public).pending for phone in phones_of(snapshot)]
    waiting = {one.challenge for one in pending if one is not None}
    return max(pushes, key=lambda challenge: (challenge.id in waiting, challenge.created_at), default=None)
