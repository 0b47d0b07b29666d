"""Rotation in three steps, each of which can be repeated (K5).

*Begin* adds a data key and a signing key. After they have settled, every process seals and signs
with them. *Re-seal* moves root after root under the new data key. *Finish* retires the old ones,
once nothing is sealed under them. Who is interrupted begins again and goes on where they were.
"""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.errors import Conflict
from nightlatch.domain.keys import SETTLING, sealing_keys, signing_keys
from nightlatch.domain.records import KEYS_ROOT, DataKey, Event, Record, SigningKey
from nightlatch.domain.time import DAY
from nightlatch.ports.catalog import KeptKeys
from nightlatch.ports.rotation import KeyMaker, Resealing
from nightlatch.ports.store import Change, Outcome

FORGOTTEN_AFTER = DAY
"""A retired key still opens for a day: what a process with a slow clock sealed late is not lost."""


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation under way. ``settles_at``: when all processes seal under the new key (µs)."""

    key_id: str
    kid: str
    settles_at: int
    resumed: bool


async def begin_rotation(ports: Ports, caller: Caller, maker: KeyMaker, resealing: Resealing) -> Rotation:
    """Add fresh keys, or find those of a rotation that was interrupted."""
    kept = await ports.catalog.keys()
    current = sealing_keys(kept.data_keys)
    signing = signing_keys(kept.signing_keys)
    if len(current) > 1:
        return _rotation(current[-1], signing[-1], resumed=True)
    now = ports.clock.now()
    fresh = maker.make(now)
    forgotten = await _forgettable(kept, current[-1].id, resealing, now)
    event = make_event(ports, caller, now, "keys:rotated", data={"key": fresh.data_key.id})
    await _commit(ports, kept, event, new=(fresh.data_key, fresh.signing_key), deletes=forgotten)
    return _rotation(fresh.data_key, fresh.signing_key, resumed=False)


async def finish_rotation(ports: Ports, caller: Caller, resealing: Resealing, rotation: Rotation) -> list[str]:
    """Retire the older keys; their ids are the answer.

    Raises ``Conflict`` while something is still sealed under one of them.
    """
    if remaining := await resealing.remaining(rotation.key_id):
        raise Conflict(f"{remaining} values are still sealed under older keys. Repeat the rotation.")
    kept = await ports.catalog.keys()
    now = ports.clock.now()
    data_keys = [key for key in sealing_keys(kept.data_keys) if key.id != rotation.key_id]
    signers = [key for key in signing_keys(kept.signing_keys) if key.kid != rotation.kid]
    retired = [key.id for key in data_keys] + [key.kid for key in signers]
    if not retired:
        return []
    event = make_event(ports, caller, now, "keys:retired", data={"keys": retired})
    await _commit(
        ports,
        kept,
        event,
        puts=(
            *(msgspec.structs.replace(key, retired_at=now) for key in data_keys),
            # What signed is destroyed at once; its public part goes on verifying for a while.
            *(msgspec.structs.replace(key, retired_at=now, sealed=b"") for key in signers),
        ),
    )
    return retired


async def _forgettable(kept: KeptKeys, current: str, resealing: Resealing, now: int) -> tuple[Record, ...]:
    keys: tuple[DataKey | SigningKey, ...] = (*kept.data_keys, *kept.signing_keys)
    retired = [key for key in keys if key.retired_at is not None and key.retired_at + FORGOTTEN_AFTER <= now]
    return tuple(retired) if retired and not await resealing.remaining(current) else ()


async def _commit(
    ports: Ports,
    kept: KeptKeys,
    event: Event,
    *,
    puts: tuple[Record, ...] = (),
    new: tuple[Record, ...] = (),
    deletes: tuple[Record, ...] = (),
) -> None:
    change = Change(
        root=KEYS_ROOT,
        expected=kept.version,
        puts=puts,
        new=new,
        deletes=deletes,
        events=(event,),
        shared=True,
    )
    if await ports.store.commit(change) is Outcome.CONFLICT:
        raise Conflict("Another rotation is under way. Let it end, or repeat this one.")


def _rotation(data_key: DataKey, signing_key: SigningKey, *, resumed: bool) -> Rotation:
    return Rotation(
        key_id=data_key.id,
        kid=signing_key.kid,
        settles_at=data_key.created_at + SETTLING,
        resumed=resumed,
    )
