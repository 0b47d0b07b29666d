"""Move what is sealed under older data keys to the current one, a root at a time (K5)."""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Ports
from nightlatch.app.deliver.messages import message_place, stand
from nightlatch.app.events import audit_key_place
from nightlatch.app.factors.secrets import factor_place
from nightlatch.app.kernel import Decided, transact
from nightlatch.domain.crypto.sealing import Place, key_id_of
from nightlatch.domain.keys import answer_place
from nightlatch.domain.records import Record
from nightlatch.ports.store import Change, Outcome, Snapshot, UserKey


async def reseal_user(ports: Ports, user_id: str) -> bool:
    """Re-seal a user's audit key and factors; whether anything was left to do.

    A sign-in that is faster wins; this decides again on what it left. Raises ``Throttled`` when
    that happens each time: the next walk finds the user again.
    """

    async def decide(snapshot: Snapshot) -> Decided[bool]:
        puts = _resealed_user(ports, snapshot)
        if not puts or snapshot.root is None:
            return None, False
        return Change(root=snapshot.root, expected=snapshot.version, puts=puts), True

    return await transact(ports.store, UserKey(user=user_id), decide)


async def reseal_answer(ports: Ports, id_: str) -> bool:
    """Re-seal an idempotent answer; whether anything was left to do."""
    found = await ports.catalog.idempotent_answer(id_)
    if found is None or not found[0].sealed:
        return False
    answer, version = found
    moved = _moved(ports, answer.sealed, answer_place(answer))
    if moved is None:
        return False
    changed = msgspec.structs.replace(answer, sealed=moved)
    change = Change(root=answer.id, expected=version, puts=(changed,))
    return await ports.store.commit(change) is Outcome.APPLIED


async def reseal_message(ports: Ports, id_: str) -> bool:
    """Re-seal the payload of a message that waits; whether anything was left to do."""
    message = await stand(ports, id_)
    if message is None or not message.sealed:
        return False
    moved = _moved(ports, message.sealed, message_place(message.id, message.user_id))
    return moved is not None and await ports.outbox.reseal(message, moved)


def _resealed_user(ports: Ports, snapshot: Snapshot) -> tuple[Record, ...]:
    puts: list[Record] = []
    user = snapshot.user
    if user is not None and (moved := _moved(ports, user.audit_key, audit_key_place(user.id))):
        puts.append(msgspec.structs.replace(user, audit_key=moved))
    for factor in snapshot.factors:
        if moved := _moved(ports, factor.sealed, factor_place(factor.id, factor.user_id)):
            puts.append(msgspec.structs.replace(factor, sealed=moved))
    return tuple(puts)


def _moved(ports: Ports, sealed: bytes | None, place: Place) -> bytes | None:
    """The value under the current key; None where it is there already, or empty (erased)."""
    if not sealed or key_id_of(sealed) == ports.sealer.current_key_id():
        return None
    return ports.sealer.seal(ports.sealer.open(sealed, place), place)
