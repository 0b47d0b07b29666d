"""Is it right? One answer against one factor: evidence, or the reason why not.

What follows from it is decided elsewhere (approving.py). Right or wrong, the judgement carries
the factor's next state, which is stored by compare-and-set with everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.factors.secrets import open_secret
from nightlatch.app.messages import Rejection
from nightlatch.app.turns import take_turn
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import Invalid
from nightlatch.domain.factors import backup_codes, hotp, totp
from nightlatch.domain.factors.base import CodeRejected, Evidence, FactorKind, WrongCode
from nightlatch.domain.factors.registry import REGISTRY, candidates
from nightlatch.domain.records import Factor, FactorState
from nightlatch.domain.throttle import (
    Lane,
    Throttled,
    after_failure,
    after_success,
    check,
    is_stopped,
    unlock,
)
from nightlatch.ports.store import Snapshot

MAX_CODE = 128


@dataclass(frozen=True, slots=True)
class Judged:
    """``states`` are to be stored; ``evidence`` is there exactly when ``rejection`` is not.

    ``counted``: the answer was compared and was wrong, so that it counts against the
    authentication too; a throttled or impossible one does not. ``unreadable``: the factor's secret
    does not open, so that it proves nothing any more.
    """

    factor: Factor | None = None
    evidence: Evidence | None = None
    rejection: Rejection | None = None
    retry_after: int | None = None
    states: tuple[FactorState, ...] = ()
    counted: bool = False
    backup_codes_left: int | None = None
    unreadable: bool = False

    @property
    def reason(self) -> str | None:
        """Why it was refused, as the audit log tells it: operators must learn of a secret that was tampered with."""
        return "secret_unreadable" if self.unreadable else self.rejection


async def judge(
    ports: Ports,
    snapshot: Snapshot,
    factors: Sequence[Factor],
    code: str,
    *,
    factor_id: str | None,
    lane: Lane,
    now: int,
) -> Judged:
    """Judge a code against the factor that is named, or the one that its form decides.

    Raises ``Invalid`` ``factor_required`` when more than one fits.
    """
    code = code[:MAX_CODE].strip()
    factor = select(factors, code, factor_id)
    if factor is None:
        # Whoever has no such factor costs the same hash as somebody who has (H6), and pays for it as for a wrong one.
        # Where a factor is named there is none to hide: nobody has it, or its owner is known.
        guessed = factor_id is None and backup_codes.looks_like(code)
        if guessed:
            await ports.hasher.dummy()
        return Judged(rejection="no_such_factor", counted=guessed)
    state = snapshot.states.get(factor.id) or FactorState(factor_id=factor.id, user_id=factor.user_id)
    try:
        check(state, lane, now)
    except Throttled as waiting:
        return Judged(factor=factor, rejection="throttled", retry_after=waiting.retry_after(now))
    try:
        counter, step = await _match(ports, snapshot, factor, state, code, now)
    except CodeRejected as rejected:
        failed = after_failure(state, lane, now)
        return Judged(factor=factor, rejection=rejected.reason, states=(failed,), counted=True)
    except SealBroken:
        # It was changed, or moved here from another row (K1). No code is to blame, and none can be right.
        return Judged(factor=factor, rejection="no_such_factor", unreadable=True)
    return _accepted(snapshot, factor, state, counter, step, now)


def select(factors: Sequence[Factor], code: str, factor_id: str | None) -> Factor | None:
    """The factor that an answer is meant for."""
    if factor_id is not None:
        return next((factor for factor in factors if factor.id == factor_id), None)
    kinds = candidates(code, {factor.kind for factor in factors})
    fitting = [factor for factor in factors if factor.kind in kinds]
    if len(fitting) > 1:
        raise Invalid.field("/factor", "factor_required", "More than one way fits this code; name the factor.")
    if fitting:
        return fitting[0]
    # A code of no known form is still an answer where there is only one thing to answer.
    return factors[0] if len(factors) == 1 else None


async def _match(
    ports: Ports, snapshot: Snapshot, factor: Factor, state: FactorState, code: str, now: int
) -> tuple[int, int]:
    """The factor's next counter, and the step or index that was used. Raises CodeRejected."""
    if factor.kind is FactorKind.TOTP:
        step = totp.match(
            open_secret(ports, factor),
            code,
            now,
            last_step=state.counter,
            params=parameters_of(factor),
        )
        return step, step
    if factor.kind is FactorKind.HOTP:
        following = hotp.match(
            open_secret(ports, factor),
            code,
            counter=state.counter,
            digits=factor.public.get("digits", 6),
        )
        return following, following - 1
    if factor.kind is FactorKind.BACKUP_CODES:
        return await _match_backup_code(ports, snapshot, factor, state, code)
    raise WrongCode


def parameters_of(factor: Factor) -> totp.TotpParameters:
    """How a TOTP factor's codes are made."""
    return msgspec.convert(
        {name: factor.public[name] for name in _PARAMETERS if name in factor.public},
        totp.TotpParameters,
    )


_PARAMETERS = totp.TotpParameters.__struct_fields__


async def _match_backup_code(
    ports: Ports, snapshot: Snapshot, factor: Factor, state: FactorState, code: str
) -> tuple[int, int]:
    """One hash a guess: the code's own first character names the row (L1)."""
    hashes: list[str] = msgspec.json.decode(open_secret(ports, factor))
    used = state.counter
    parsed = backup_codes.normalise(code)
    picked = backup_codes.pick(hashes, used, parsed) if parsed else None
    # Of those who decide on one version of the user only one can be stored, so only one need hash.
    await take_turn(ports, f"hash:{factor.user_id}:{snapshot.version}")
    if parsed is None or picked is None:
        await ports.hasher.dummy()
        raise WrongCode
    index, hashed = picked
    if not await ports.hasher.verify(hashed, parsed.secret):
        raise WrongCode
    return backup_codes.mark_used(used, index), index


def _accepted(snapshot: Snapshot, factor: Factor, state: FactorState, counter: int, step: int, now: int) -> Judged:
    proved = msgspec.structs.replace(after_success(state), counter=counter, last_used_at=now)
    # Proving one factor lets its owner back to those that guessing had stopped (H1).
    freed = tuple(
        unlock(other)
        for other in snapshot.states.values()
        if other.factor_id != factor.id and is_stopped(other, Lane.OTHER)
    )
    left = None
    if factor.kind is FactorKind.BACKUP_CODES:
        left = backup_codes.left(counter, int(factor.public.get("count", 10)))
    return Judged(
        factor=factor,
        evidence=REGISTRY[factor.kind].evidence(factor_id=factor.id, counter=step),
        states=(proved, *freed),
        backup_codes_left=left,
    )
