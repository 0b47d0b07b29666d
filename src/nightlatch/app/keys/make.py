"""Make the first keys, of which a database gets exactly one set (K1)."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.records import KEYS_ROOT
from nightlatch.ports.catalog import KeptKeys
from nightlatch.ports.rotation import KeyMaker
from nightlatch.ports.store import Change


async def make_first_keys(ports: Ports, caller: Caller, maker: KeyMaker) -> KeptKeys:
    """The keys of this database, made where it holds none.

    Of two processes that start at once one commits its set; the other's is forgotten unused.
    """
    kept = await ports.catalog.keys()
    if kept.data_keys:
        return kept
    now = ports.clock.now()
    fresh = maker.make(now)
    change = Change(
        root=KEYS_ROOT,
        expected=kept.version,
        new=(fresh.data_key, maker.make_mac_key(now), fresh.signing_key),
        events=(make_event(ports, caller, now, "keys:created", data={"key": fresh.data_key.id}),),
        shared=True,
    )
    await ports.store.commit(change)
    return await ports.catalog.keys()
