"""Rotation in three steps, each of which can be repeated (K5).

*Begin* adds a data key and a signing key. Once the data key has settled, every process seals under
it. *Re-seal* moves root after root. *Finish* retires the older data keys, when nothing is sealed
under them. Who is interrupted begins again and goes on where they were.
"""

from __future__ import annotations

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.errors import Conflict
from nightlatch.domain.keys import (
    SETTLING,
    published_keys,
    sealing_keys,
    signing_key_place,
    signing_keys,
)
from nightlatch.domain.records import KEYS_ROOT, DataKey, Event, Record, SigningKey
from nightlatch.domain.time import DAY
from nightlatch.ports.catalog import KeptKeys
from nightlatch.ports.rotation import KeyMaker, Resealing
from nightlatch.ports.store import Change, Outcome

FORGOTTEN_AFTER = DAY
"""A retired key still opens for a day: what a process with a slow clock sealed late is not lost, nor what tickets and
challenges hold, which live an hour at most and are not moved."""


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
    # Newer than those before it, even where the clock was set back: age decides which one is used.
    fresh = maker.make(max(now, current[-1].created_at + 1, signing[-1].created_at + 1))
    forgotten = await _forgettable(kept, current[-1].id, resealing, now)
    event = make_event(ports, caller, now, "keys:rotated", data={"key": fresh.data_key.id})
    await _commit(ports, kept, event, new=(fresh.data_key, fresh.signing_key), deletes=forgotten)
    return _rotation(fresh.data_key, fresh.signing_key, resumed=False)


async def finish_rotation(
    ports: Ports,
    caller: Caller,
    resealing: Resealing,
    rotation: Rotation,
    *,
    compromised: bool = False,
) -> list[str]:
    """Retire the older data keys; the answer lists what was retired.

    Older signing keys go on until the new one was announced to all verifiers, but with
    ``compromised`` they are withdrawn now, and what they signed verifies no more.
    Raises ``Conflict`` while something is still sealed under an older key.
    """
    if ports.sealer.current_key_id() != rotation.key_id:
        raise Conflict("The new key has not settled yet. Repeat this in some seconds.")
    if remaining := await resealing.remaining(rotation.key_id):
        raise Conflict(f"{remaining} values are still sealed under older keys. Repeat the rotation.")
    kept = await ports.catalog.keys()
    now = ports.clock.now()
    old_keys = [key for key in sealing_keys(kept.data_keys) if key.id != rotation.key_id]
    old_signers = [key for key in signing_keys(kept.signing_keys) if key.kid != rotation.kid]
    retired = [key.id for key in old_keys] + [key.kid for key in old_signers if compromised]
    if not retired:
        return []
    moved = (_withdrawn(key, now) if compromised else _resealed(ports, key) for key in old_signers)
    puts = (*(msgspec.structs.replace(key, retired_at=now) for key in old_keys), *moved)
    event = make_event(ports, caller, now, "keys:retired", data={"keys": retired})
    await _commit(ports, kept, event, puts=puts)
    return retired


def _withdrawn(key: SigningKey, now: int) -> SigningKey:
    return msgspec.structs.replace(key, retired_at=now, sealed=b"")


def _resealed(ports: Ports, key: SigningKey) -> SigningKey:
    place = signing_key_place(key.kid)
    return msgspec.structs.replace(key, sealed=ports.sealer.seal(ports.sealer.open(key.sealed, place), place))


async def _forgettable(kept: KeptKeys, current: str, resealing: Resealing, now: int) -> tuple[Record, ...]:
    """Data keys that were retired long ago, and signing keys that nobody needs any more."""
    needed = {key.kid for key in published_keys(signing_keys(kept.signing_keys), now)}
    signers = [key for key in kept.signing_keys if key.kid not in needed]
    retired = [key for key in kept.data_keys if key.retired_at is not None and key.retired_at + FORGOTTEN_AFTER <= now]
    if retired and await resealing.remaining(current):
        retired = []
    return (*retired, *signers)


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
