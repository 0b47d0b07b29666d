"""Find a user's factors."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.factors.answers import factor_answer
from nightlatch.app.factors.rules import alive
from nightlatch.app.messages import FactorAnswer, Page
from nightlatch.app.users.reference import existing, user_key
from nightlatch.domain.errors import NotFound
from nightlatch.domain.factors.base import FactorKind
from nightlatch.domain.records import Factor
from nightlatch.ports.store import Snapshot


async def list_factors(ports: Ports, _caller: Caller, ref: str) -> Page[FactorAnswer]:
    """A user's factors, active and begun, in the order in which they were begun, backup codes last.

    Raises ``NotFound``.
    """
    snapshot = await ports.store.load(user_key(ref))
    existing(snapshot)
    now = ports.clock.now()
    factors = sorted((f for f in snapshot.factors if alive(f, now)), key=_order)
    return Page(data=[factor_answer(factor, snapshot.states.get(factor.id)) for factor in factors])


async def get_factor(ports: Ports, _caller: Caller, ref: str, factor_id: str) -> FactorAnswer:
    """One factor of a user. Raises ``NotFound``, also for another's."""
    snapshot = await ports.store.load(user_key(ref))
    existing(snapshot)
    factor = owned(snapshot, factor_id)
    if not alive(factor, ports.clock.now()):
        raise NotFound("This user has no such factor.")
    return factor_answer(factor, snapshot.states.get(factor.id))


def owned(snapshot: Snapshot, factor_id: str) -> Factor:
    """The user's factor of this id. Raises ``NotFound``."""
    factor = next((factor for factor in snapshot.factors if factor.id == factor_id), None)
    if factor is None:
        raise NotFound("This user has no such factor.")
    return factor


def _order(factor: Factor) -> tuple[bool, str]:
    return factor.kind is FactorKind.BACKUP_CODES, factor.id
