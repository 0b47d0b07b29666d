"""Put every data key under another key-encryption key: what to do when the key file leaked."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.errors import Conflict
from nightlatch.domain.records import KEYS_ROOT
from nightlatch.ports.rotation import KeyWrapping
from nightlatch.ports.store import Change, Outcome


async def rewrap_keys(ports: Ports, caller: Caller, wrapping: KeyWrapping) -> int:
    """Wrap all data keys anew, the one for digests included; how many there were.

    Nothing that is sealed changes, and servers that run go on with the keys they have opened.
    Whoever has the old key-encryption key and an old copy of the database still opens that copy:
    rotate the data keys first. Raises ``Conflict``.
    """
    kept = await ports.catalog.keys()
    now = ports.clock.now()
    rewrapped = tuple(wrapping.rewrap(key) for key in kept.data_keys)
    event = make_event(ports, caller, now, "keys:rewrapped", data={"keys": len(rewrapped)})
    change = Change(root=KEYS_ROOT, expected=kept.version, puts=rewrapped, events=(event,), shared=True)
    if await ports.store.commit(change) is Outcome.CONFLICT:
        raise Conflict("The keys were changed meanwhile. Repeat this.")
    return len(rewrapped)
