"""Rename a factor."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.factors.answers import factor_answer
from nightlatch.app.factors.find import owned
from nightlatch.app.factors.rules import alive
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.messages import FactorAnswer, FactorPatch
from nightlatch.app.users.reference import active, user_key
from nightlatch.domain import naming
from nightlatch.domain.errors import NotFound
from nightlatch.domain.fields import Problems
from nightlatch.ports.store import Change, Snapshot


async def rename_factor(ports: Ports, caller: Caller, ref: str, factor_id: str, patch: FactorPatch) -> FactorAnswer:
    """Give a factor another label, or none. Raises ``NotFound``, ``Invalid`` and ``Conflict``.

    A label changes nothing about how somebody signs in, and so needs no approval.
    """
    problems = Problems()
    label = problems.optional("/label", naming.label, patch.label)
    problems.refuse()

    async def decide(snapshot: Snapshot) -> Decided[FactorAnswer]:
        return change_label(ports, caller, snapshot, factor_id, label, ports.clock.now())

    return await transact(ports.store, user_key(ref), decide)


def change_label(
    ports: Ports, caller: Caller, snapshot: Snapshot, factor_id: str, label: str | None, now: int
) -> tuple[Change | None, FactorAnswer]:
    """The change that renames a factor; none where it is called so already. Raises ``NotFound``, ``Conflict``."""
    user = active(snapshot)
    factor = owned(snapshot, factor_id)
    if not alive(factor, now):
        raise NotFound("This user has no such factor.")
    renamed = replace(factor, label=label)
    answer = factor_answer(renamed, snapshot.states.get(factor.id))
    if label == factor.label:
        return None, answer
    event = factor_event(
        ports,
        caller,
        now,
        "factor:renamed",
        user,
        factor,
        personal={"label": label, "label_before": factor.label},
    )
    return Change(root=user.id, expected=snapshot.version, puts=(renamed,), events=(event,)), answer
