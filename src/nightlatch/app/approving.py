"""What follows from an approval: the device's next token, the network, the assertion."""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.networks import network_of
from nightlatch.domain.assertion import LIFETIME, TYPE, claims
from nightlatch.domain.assurance import Assurance, Proved
from nightlatch.domain.crypto.canonical import action_hash
from nightlatch.domain.crypto.tokens import hash_token, ticket_token
from nightlatch.domain.ids import DEVICE
from nightlatch.domain.policy.decision import Reason
from nightlatch.domain.records import (
    Authentication,
    AuthenticationStatus,
    Device,
    Record,
    SeenNetwork,
    User,
)
from nightlatch.domain.time import DAY, SECOND

TOKEN_BYTES = 32
PREDECESSOR_LIFE = 60 * SECOND
"""How long the previous device token works, for answers that got lost and parallel tabs."""


ADDRESS_MISMATCH = Reason(
    "address_mismatch", None, "prompt_mfa", "the prompt was opened from another network than the application named"
)


def approved(
    ports: Ports,
    authentication: Authentication,
    proved: Proved,
    now: int,
    *,
    factor_id: str | None = None,
) -> Authentication:
    """The authentication, approved with what was really proved."""
    return msgspec.structs.replace(
        authentication,
        status=AuthenticationStatus.APPROVED,
        acr=proved.acr.value,
        amr=tuple(proved.amr),
        factor_id=factor_id,
        approved_at=now,
        jti=ports.entropy.bytes(16).hex(),
    )


def seen_network(authentication: Authentication, now: int) -> tuple[SeenNetwork, ...]:
    """Remember where a factor was proved; nothing where the browser was in another network than the application told.

    The day is enough, and leaves the row as it is for the rest of it: every approval writes it.
    """
    if any(reason["code"] == ADDRESS_MISMATCH.code for reason in authentication.reasons):
        return ()
    return (
        SeenNetwork(user_id=authentication.user_id, network=network_of(authentication.ip), last_at=now - now % DAY),
    )


def next_device(ports: Ports, authentication: Authentication, device: Device | None, now: int) -> tuple[str, Device]:
    """Rotate the recognized device's token, or make a device; the token is told once.

    It is remembered only by an approval that proved a factor and asked for it.
    """
    token = ticket_token(ports.entropy.bytes(TOKEN_BYTES))
    proved = authentication.factor_id is not None
    if device is None or device.revoked_at is not None:
        device = Device(
            id=ports.new_id(DEVICE, now),
            user_id=authentication.user_id,
            application_id=authentication.application_id,
            token_hash=hash_token(token),
            user_agent=authentication.user_agent,
            created_at=now,
            last_seen_at=now,
        )
        previous, until = None, 0
    else:
        previous, until = device.token_hash, now + PREDECESSOR_LIFE
    remember = proved and authentication.remember_device
    return token, msgspec.structs.replace(
        device,
        token_hash=hash_token(token),
        previous_hash=previous,
        previous_until=until,
        last_seen_at=now,
        user_agent=authentication.user_agent or device.user_agent,
        proved_at=now if proved else device.proved_at,
        remembered_at=now if remember else device.remembered_at,
    )


def trace(
    ports: Ports, authentication: Authentication, device: Device | None, now: int
) -> tuple[str | None, tuple[Record, ...]]:
    """What an approval leaves behind: a device token (not hosted) and the network."""
    puts: list[Record] = []
    token = None
    if authentication.return_url is None:
        token, kept = next_device(ports, authentication, device, now)
        puts.append(kept)
    if authentication.factor_id is not None:
        puts += seen_network(authentication, now)
    return token, tuple(puts)


def assertion_of(ports: Ports, authentication: Authentication, user: User | None, now: int) -> str | None:
    """Sign what was proved; None when it is not approved or its time is over (E1).

    ``max_age`` shortens the life, so that a sensitive action cannot be done long after.
    """
    at = authentication.approved_at
    if authentication.status is not AuthenticationStatus.APPROVED or at is None or user is None:
        return None
    ends = at + min(LIFETIME, authentication.max_age or LIFETIME)
    if now >= ends:
        return None
    details = authentication.action_details
    said = claims(
        issuer=ports.site.public_url,
        audience=authentication.application_id,
        subject=authentication.user_id,
        username=user.username,
        now=now,
        ends=ends,
        auth_time=min(at, now),
        acr=Assurance(authentication.acr or "aal1"),
        amr=authentication.amr,
        first_factor=authentication.first_factor,
        action=authentication.action,
        action_hash=action_hash(details) if details is not None else None,
        authentication=authentication.id,
        jti=authentication.jti or "",
    )
    return ports.signer.sign(said, TYPE)
