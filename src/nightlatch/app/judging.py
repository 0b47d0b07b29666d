"""Is it right? One answer against one factor: evidence, or the reason why not.

What follows from it is decided elsewhere (approving.py). Right or wrong, the judgement carries
the factor's next state, which is stored by compare-and-set with everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.factors.secrets import open_secret
from nightlatch.app.messages import Rejection
from nightlatch.app.texting import after_answer, code_key, is_open, sent_code
from nightlatch.app.turns import take_turn
from nightlatch.domain.crypto.sealing import SealBroken
from nightlatch.domain.errors import Invalid
from nightlatch.domain.factors import backup_codes, hotp, push, sms, totp
from nightlatch.domain.factors.base import CodeRejected, Evidence, FactorKind, WrongCode
from nightlatch.domain.factors.registry import REGISTRY, candidates
from nightlatch.domain.records import Factor, FactorState, Record
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
    """``states`` and ``records`` are to be stored; ``evidence`` is there exactly when ``rejection`` is not.

    ``counted``: the answer was compared and was wrong, so that it counts against the
    authentication too; a throttled or impossible one does not. ``answerable``: some other code would have been right,
    as there is a factor that may answer. ``unreadable``: the factor's secret
    does not open, so that it proves nothing any more. ``unlocked``: phones that may be asked again, since
    their owner proved another factor; to be stored as well.
    """

    factor: Factor | None = None
    evidence: Evidence | None = None
    rejection: Rejection | None = None
    retry_after: int | None = None
    states: tuple[FactorState, ...] = ()
    records: tuple[Record, ...] = ()
    unlocked: tuple[Factor, ...] = ()
    counted: bool = False
    answerable: bool = True
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
    factor = select(snapshot, factors, code, factor_id, now)
    if factor is None:
        # Whoever has no such factor costs the same hash as somebody who has (H6), and pays for it as for a wrong one.
        # Where a factor is named there is none to hide: nobody has it, or its owner is known.
        guessed = factor_id is None and backup_codes.looks_like(code)
        if guessed:
            await ports.hasher.dummy()
        return Judged(rejection="no_such_factor", counted=guessed, answerable=bool(factors))
    state = snapshot.states.get(factor.id) or FactorState(factor_id=factor.id, user_id=factor.user_id)
    try:
        check(state, lane, now)
    except Throttled as waiting:
        return Judged(factor=factor, rejection="throttled", retry_after=waiting.retry_after(now))
    try:
        counter, step = await _match(ports, snapshot, factor, state, code, now)
    except CodeRejected as rejected:
        failed = after_failure(state, lane, now)
        told = after_answer(ports, snapshot, factor, now, right=False) if factor.kind is FactorKind.SMS else ()
        return Judged(factor=factor, rejection=rejected.reason, states=(failed,), records=told, counted=True)
    except SealBroken:
        # It was changed, or moved here from another row (K1). No code is to blame, and none can be right.
        return Judged(factor=factor, rejection="no_such_factor", unreadable=True)
    told = after_answer(ports, snapshot, factor, now, right=True) if factor.kind is FactorKind.SMS else ()
    evidence = REGISTRY[factor.kind].evidence(factor_id=factor.id, counter=step)
    return replace(accepted(snapshot, factor, state, counter, evidence, now), records=told)


def select(snapshot: Snapshot, factors: Sequence[Factor], code: str, factor_id: str | None, now: int) -> Factor | None:
    """The factor that an answer is meant for: the one that is named; else six digits are the code that was texted
    last, while it is good; else the one factor that its form fits.
    """
    # What is answered on a phone takes no code.
    factors = [factor for factor in factors if factor.kind is not FactorKind.PUSH]
    if factor_id is not None:
        return next((factor for factor in factors if factor.id == factor_id), None)
    texted = {f.id: sent for f in factors if f.kind is FactorKind.SMS and (sent := sent_code(snapshot, f)[0])}
    good = [f for f in factors if f.id in texted and is_open(texted[f.id], now)]
    if good and sms.looks_like(code):
        return max(good, key=lambda factor: texted[factor.id].sent_at)
    kinds = candidates(code, {factor.kind for factor in factors})
    # A number to which nothing was sent has no code that this could be.
    fitting = [f for f in factors if f.kind in kinds and (f.kind is not FactorKind.SMS or f.id in texted)]
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
    if factor.kind is FactorKind.SMS:
        open_secret(ports, factor)
        sent, context = sent_code(snapshot, factor)
        sms.match(code_key(ports), code, sent, now, context)
        return state.counter, 0
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


def accepted(
    snapshot: Snapshot, factor: Factor, state: FactorState, counter: int, evidence: Evidence, now: int
) -> Judged:
    """The judgement of a right answer. ``counter`` is the factor's next."""
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
        evidence=evidence,
        states=(proved, *freed),
        unlocked=_unlocked(snapshot, factor),
        backup_codes_left=left,
    )


def _unlocked(snapshot: Snapshot, proved: Factor) -> tuple[Factor, ...]:
    """The phones that were locked by a no, free again (P5): only another factor than push frees them."""
    if proved.kind is FactorKind.PUSH:
        return ()
    return tuple(
        msgspec.structs.replace(factor, public=push.unlocked(push.state_of(factor.public)).public())
        for factor in snapshot.factors
        if factor.kind is FactorKind.PUSH and push.state_of(factor.public).locked
    )
