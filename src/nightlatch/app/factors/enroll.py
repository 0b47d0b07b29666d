"""Begin a factor. It does not count before it is activated, and dies after 10 minutes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.factors.answers import factor_fields
from nightlatch.app.factors.rules import PENDING_LIFE, dead_pending, require_may_begin
from nightlatch.app.factors.secrets import open_secret, seal_secret
from nightlatch.app.factors.sms import begin_number
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import EnrolledFactor, Enrollment, NewFactor
from nightlatch.app.push.enroll import begin_pairing
from nightlatch.app.settling import settle
from nightlatch.app.step_up import Leave, approval_key, leave_by_approval, refused
from nightlatch.app.texting import Permission
from nightlatch.app.users.reference import active
from nightlatch.domain import naming
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import Conflict, Refusal, StepUpRequired
from nightlatch.domain.factors import qr, sms
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.factors.otpauth import OtpauthUri, build
from nightlatch.domain.factors.parameters import MAX_PERIOD, PERIOD, Algorithm, TotpParameters
from nightlatch.domain.factors.seed import SECRET_BYTES, InvalidSecret, decode_secret, encode_secret
from nightlatch.domain.fields import BadField, Problems
from nightlatch.domain.ids import FACTOR
from nightlatch.domain.records import Factor, FactorState, FactorStatus, User
from nightlatch.ports.store import Change, Snapshot

# RFC 6238 §5.1 wants the key as long as the hash; 160 bits are the least that we make (T1).
_SECRET_BYTES: dict[Algorithm, int] = {"SHA1": SECRET_BYTES, "SHA256": 32, "SHA512": 64}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be enrolled, checked. ``secret`` is there when it is imported, ``number`` when texts go to it."""

    kind: FactorKind
    label: str | None
    parameters: TotpParameters
    secret: bytes | None
    number: sms.Number | None = None


async def enroll_factor(ports: Ports, caller: Caller, ref: str, new: NewFactor) -> EnrolledFactor:
    """Begin a factor for a user; the answer holds its secret, this once. A number gets a code.

    For a user with an active factor it needs ``approval``. Raises ``NotFound``, ``Invalid`` with every bad field,
    ``StepUpRequired``, and ``Conflict`` for a disabled user or one with too many factors begun. For a number also what
    ``Texting.permit`` does.
    """
    wanted = checked_factor(new, voip=ports.texting.voip_numbers)
    permission = Permission()

    async def decide(snapshot: Snapshot) -> Decided[EnrolledFactor | Refusal]:
        now = ports.clock.now()
        user = active(snapshot)
        try:
            leave = await leave_by_approval(ports, caller, snapshot, new.approval, now)
        except StepUpRequired as refusal:
            return refused(ports, caller, user, snapshot, now, "factor:enrolled"), refusal
        if wanted.number is not None:
            application_id = caller.application.id if caller.application else None
            return await begin_number(
                ports,
                caller,
                snapshot,
                wanted.number,
                wanted.label,
                leave,
                permission,
                now,
                application_id=application_id,
            )
        return await begin_factor(ports, caller, snapshot, wanted, leave, now)

    return await settle(ports.store, approval_key(ref, new.approval), decide)


def checked_factor(new: NewFactor, *, voip: bool = False) -> Wanted:
    """Everything about a request that can be judged without its user. Raises ``Invalid``."""
    problems = Problems()
    label = problems.optional("/label", naming.label, new.label)
    if new.digits not in (6, 7, 8):
        problems.add("/digits", "out_of_range", "A code has 6, 7 or 8 digits.")
    if new.kind is FactorKind.HOTP:
        if new.algorithm != "SHA1":
            problems.add("/algorithm", "only_for_totp", "HOTP is made with SHA1 (RFC 4226).", "SHA1")
        if new.period != PERIOD:
            problems.add("/period", "only_for_totp", "HOTP counts presses, not seconds.")
    elif new.kind in (FactorKind.SMS, FactorKind.PUSH):
        _nothing_of_apps(problems, new)
    elif not 1 <= new.period <= MAX_PERIOD:
        problems.add("/period", "out_of_range", f"A period has 1 to {MAX_PERIOD} seconds (NIST SP 800-63B-4).")
    secret = problems.optional("/secret", _imported, new.secret)
    number = _number(problems, new, voip=voip)
    problems.refuse()
    parameters = TotpParameters(new.algorithm, new.digits, new.period)  # type: ignore[arg-type]  # checked above
    return Wanted(new.kind, label, parameters, secret, number)


async def begin_factor(
    ports: Ports, caller: Caller, snapshot: Snapshot, wanted: Wanted, leave: Leave, now: int
) -> tuple[Change, EnrolledFactor]:
    """The change that begins a factor, and what its owner must see. ``leave`` says on whose word.

    Raises ``Invalid``, ``Conflict`` and ``StepUpRequired``.
    """
    user = await require_may_begin(ports, snapshot, wanted.kind, leave, now)
    if wanted.kind is FactorKind.PUSH:
        return begin_pairing(ports, caller, user, snapshot, wanted.label, leave, now)
    _require_new_secret(ports, snapshot, wanted)
    secret = wanted.secret or ports.entropy.bytes(_SECRET_BYTES[wanted.parameters.algorithm])
    factor, state = _records(ports, user, wanted, secret, leave, now)
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=leave.puts,
        new=(factor, state),
        deletes=dead_pending(snapshot, now),
        events=(factor_event(ports, caller, now, "factor:enrolled", user, factor, data=leave.told),),
    )
    enrollment = enrollment_of(ports, user, wanted, secret)
    return change, EnrolledFactor(**factor_fields(factor, state), enrollment=enrollment)


def enrollment_of(ports: Ports, user: User, wanted: Wanted, secret: bytes) -> Enrollment:
    """The address, secret and pictures that bring a secret into an app (T11)."""
    uri = build(
        OtpauthUri(
            kind="totp" if wanted.kind is FactorKind.TOTP else "hotp",
            issuer=ports.site.issuer,
            # Apps split the label at a colon, and a user name may hold one.
            account=user.username.replace(":", "-"),
            secret=secret,
            algorithm=wanted.parameters.algorithm,
            digits=wanted.parameters.digits,
            period=wanted.parameters.period,
        )
    )
    drawing = qr.Drawing(uri)
    return Enrollment(uri=uri, secret=encode_secret(secret), qr_svg=drawing.svg, qr_png=drawing.png_data_url)


def _number(problems: Problems, new: NewFactor, *, voip: bool) -> sms.Number | None:
    if new.kind is not FactorKind.SMS:
        if new.phone is not None:
            problems.add("/phone", "only_for_sms", "Only texts go to a number.")
        return None
    if new.phone is None:
        problems.add("/phone", "required", "Send the number with its country: +49 151 12345678.")
        return None
    return problems.take("/phone", partial(sms.number, voip=voip), new.phone, None)


def _nothing_of_apps(problems: Problems, new: NewFactor) -> None:
    given = {"secret": new.secret is not None, "algorithm": new.algorithm != "SHA1", "period": new.period != PERIOD}
    for name in (name for name, there in given.items() if there):
        problems.add(f"/{name}", "only_for_apps", "Only codes from an app have one.")


def _imported(text: str) -> bytes:
    try:
        return decode_secret(text)
    except InvalidSecret as error:
        raise BadField(error.code, error.detail) from None


def _require_new_secret(ports: Ports, snapshot: Snapshot, wanted: Wanted) -> None:
    """Two factors with one secret would each accept the same code once (T4)."""
    if wanted.secret is None:
        return
    for factor in snapshot.factors:
        if factor.kind in (FactorKind.TOTP, FactorKind.HOTP) and _readable(ports, factor) == wanted.secret:
            raise Conflict("Another factor of this user has this secret already.", code="secret_in_use")


def _readable(ports: Ports, factor: Factor) -> bytes | None:
    """The secret, unless it was tampered with: then no code is accepted for it, and none can be accepted twice."""
    try:
        return open_secret(ports, factor)
    except SealBroken:
        return None


def _records(
    ports: Ports, user: User, wanted: Wanted, secret: bytes, leave: Leave, now: int
) -> tuple[Factor, FactorState]:
    id_ = ports.new_id(FACTOR, now)
    public: dict[str, Any] = {"digits": wanted.parameters.digits, "approved": leave.approved}
    if wanted.kind is FactorKind.TOTP:
        public |= {"algorithm": wanted.parameters.algorithm, "period": wanted.parameters.period}
    factor = Factor(
        id=id_,
        user_id=user.id,
        kind=wanted.kind,
        status=FactorStatus.PENDING,
        label=wanted.label,
        public=public,
        sealed=seal_secret(ports, secret, factor_id=id_, user_id=user.id),
        created_at=now,
        expires_at=now + PENDING_LIFE,
    )
    counter = 0 if wanted.kind is FactorKind.HOTP else -1
    return factor, FactorState(factor_id=id_, user_id=user.id, counter=counter)
