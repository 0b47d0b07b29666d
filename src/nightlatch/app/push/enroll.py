"""Begin to pair a phone: a code that it takes, and a number that its owner types on it (B2)."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.factors.answers import factor_fields
from nightlatch.app.factors.rules import PENDING_LIFE, dead_pending
from nightlatch.app.messages import EnrolledFactor, Enrollment
from nightlatch.app.push.sealed import PushSecret, open_push_secret, seal_push_secret
from nightlatch.app.step_up import Leave
from nightlatch.domain.crypto import codes
from nightlatch.domain.crypto.tokens import hash_token
from nightlatch.domain.factors import push, qr
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.push import Pairing, PushState
from nightlatch.domain.ids import FACTOR
from nightlatch.domain.records import Factor, FactorState, FactorStatus, Ticket, TicketKind, User
from nightlatch.ports.store import Change, Snapshot


@dataclass(frozen=True, slots=True)
class PairingView:
    """How a pairing stands. ``enrollment`` until a phone took the code, ``number`` until it was answered."""

    state: Pairing
    enrollment: Enrollment | None
    number: str | None


def begin_pairing(
    ports: Ports, caller: Caller, user: User, snapshot: Snapshot, label: str | None, leave: Leave, now: int
) -> tuple[Change, EnrolledFactor]:
    """The change that begins a push factor, and what its owner must see. Leave and room were checked."""
    code, secret = new_pairing(ports)
    id_ = ports.new_id(FACTOR, now)
    factor = Factor(
        id=id_,
        user_id=user.id,
        kind=FactorKind.PUSH,
        status=FactorStatus.PENDING,
        label=label,
        public=PushState(approved=leave.approved, begun_by=caller.party).public(),
        sealed=seal_push_secret(ports, secret, factor_id=id_, user_id=user.id),
        created_at=now,
        expires_at=now + PENDING_LIFE,
    )
    state = FactorState(factor_id=id_, user_id=user.id)
    ticket = Ticket(
        hash=hash_token(code),
        kind=TicketKind.PAIRING,
        root=user.id,
        user_id=user.id,
        application_id=caller.application.id if caller.application else None,
        data={"factor": id_},
        created_at=now,
        expires_at=now + PENDING_LIFE,
    )
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=leave.puts,
        new=(factor, state, ticket),
        deletes=dead_pending(snapshot, now),
        events=(factor_event(ports, caller, now, "factor:enrolled", user, factor, data=leave.told),),
    )
    return change, EnrolledFactor(**factor_fields(factor, state), enrollment=pairing_enrollment(ports, secret))


def new_pairing(ports: Ports) -> tuple[str, PushSecret]:
    """A fresh code, and what is kept of it until a phone took it."""
    code = push.pairing_code(ports.entropy.bytes(push.CODE_ENTROPY_BYTES))
    return code, PushSecret(code=code, number=codes.numeric_code(ports.entropy.bytes(codes.ENTROPY_BYTES)))


def pairing_enrollment(ports: Ports, secret: PushSecret) -> Enrollment:
    """The picture that a phone's camera opens. The code stands behind ``#``, so that no server and no log sees it."""
    uri = f"{ports.site.public_url}/authenticator#{secret.code}"
    drawing = qr.Drawing(uri)
    return Enrollment(uri=uri, qr_svg=drawing.svg, qr_png=drawing.png_data_url, code=secret.code, number=secret.number)


def pairing_view(ports: Ports, factor: Factor) -> PairingView:
    """How a pairing stands, for the page that began it. Raises ``SealBroken``."""
    state, secret = push.state_of(factor.public), open_push_secret(ports, factor)
    enrollment = pairing_enrollment(ports, secret) if state.pairing == "waiting" and secret.code else None
    return PairingView(state.pairing, enrollment, secret.number)


def with_state(factor: Factor, state: PushState) -> Factor:
    """The factor with another public part; the MAC in it stays that of the key."""
    return replace(factor, public=state.public())
