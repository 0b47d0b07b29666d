"""Backup codes: made with a person's first factor, made anew with approval, shown once (L1 to L5)."""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.deciding import active_factors
from nightlatch.app.events import factor_event
from nightlatch.app.factors.rules import backup_code_count, dead_pending, require_person, with_states
from nightlatch.app.factors.secrets import seal_secret
from nightlatch.app.kernel import Decided
from nightlatch.app.messages import BackupCodes, NewBackupCodes
from nightlatch.app.notices import notices
from nightlatch.app.settling import settle
from nightlatch.app.step_up import Leave, approval_key, leave_by_approval, refused
from nightlatch.app.turns import take_turn
from nightlatch.app.users.reference import active
from nightlatch.domain.errors import Conflict, Refusal, StepUpRequired
from nightlatch.domain.factors import backup_codes
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.ids import FACTOR
from nightlatch.domain.records import Event, Factor, FactorState, FactorStatus, User
from nightlatch.ports.store import Change, Snapshot

Fresh = tuple[list[str], Factor, FactorState]


async def new_backup_codes(ports: Ports, caller: Caller, ref: str, new: NewBackupCodes) -> BackupCodes:
    """A new set of codes for a user who has a factor; the old set is dead.

    Raises ``NotFound``, ``StepUpRequired``, and ``Conflict`` where there is no other factor or policy wants no codes.
    """

    async def decide(snapshot: Snapshot) -> Decided[BackupCodes | Refusal]:
        now = ports.clock.now()
        user = active(snapshot)
        require_person(user)
        _require_other_factor(snapshot)
        try:
            leave = await leave_by_approval(ports, caller, snapshot, new.approval, now)
        except StepUpRequired as refusal:
            return refused(ports, caller, user, snapshot, now, "backup_codes:created"), refusal
        return await replace_codes(ports, caller, snapshot, leave, now)

    return await settle(ports.store, approval_key(ref, new.approval), decide)


async def replace_codes(
    ports: Ports, caller: Caller, snapshot: Snapshot, leave: Leave, now: int
) -> tuple[Change, BackupCodes]:
    """The change that puts a new set of codes in the place of the old one. ``leave`` says on whose word.

    Raises ``Conflict``.
    """
    user = active(snapshot)
    _require_other_factor(snapshot)
    if not leave.approved:
        raise StepUpRequired
    count = backup_code_count(await ports.policies.current())
    if count == 0:
        raise Conflict("The policy in force has no backup codes.", code="kind_not_allowed")
    codes, factor, state = await fresh_codes(ports, user, snapshot.version, count, now)
    old = [factor for factor in snapshot.factors if factor.kind is FactorKind.BACKUP_CODES]
    change = Change(
        root=user.id,
        expected=snapshot.version,
        puts=leave.puts,
        new=(factor, state, *notices.new_codes(ports, user, factor, now)),
        deletes=(*dead_pending(snapshot, now), *with_states(snapshot, old)),
        events=(codes_event(ports, caller, user, factor, now, replaces=[o.id for o in old]),),
    )
    return change, BackupCodes(backup_codes=codes)


async def fresh_codes(ports: Ports, user: User, version: int, count: int, now: int) -> Fresh:
    """A set of codes, its factor, active at once, and its state. The codes are kept as hashes only (L2).

    Hashing a set is a fifth of a second of work. Of those who decide on one version of the user only one can be stored,
    so only one may hash. Raises ``Throttled`` for the others.
    """
    await take_turn(ports, f"backup_codes:{user.id}:{version}")
    codes = backup_codes.generate(ports.entropy.bytes(count * backup_codes.ENTROPY_BYTES), count)
    id_ = ports.new_id(FACTOR, now)
    hashes = [await ports.hasher.hash(_secret_of(code)) for code in codes]
    factor = Factor(
        id=id_,
        user_id=user.id,
        kind=FactorKind.BACKUP_CODES,
        status=FactorStatus.ACTIVE,
        public={"count": count},
        sealed=seal_secret(ports, msgspec.json.encode(hashes), factor_id=id_, user_id=user.id),
        created_at=now,
        activated_at=now,
    )
    return codes, factor, FactorState(factor_id=id_, user_id=user.id, counter=0)


def codes_event(ports: Ports, caller: Caller, user: User, factor: Factor, now: int, *, replaces: list[str]) -> Event:
    """That a set was made, and which ones died of it."""
    return factor_event(
        ports,
        caller,
        now,
        "backup_codes:created",
        user,
        factor,
        data={"count": factor.public["count"], "replaces": replaces},
        personal={},
    )


def _secret_of(code: str) -> str:
    parsed = backup_codes.normalise(code)
    assert parsed is not None, "what we generate, we can read"
    return parsed.secret


def _require_other_factor(snapshot: Snapshot) -> None:
    """Codes on paper stand in for a factor; alone they would be one that runs out."""
    if all(factor.kind is FactorKind.BACKUP_CODES for factor in active_factors(snapshot)):
        raise Conflict("Activate a factor first; its answer brings the codes.", code="no_active_factor")
