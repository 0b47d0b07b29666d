"""A way to ring a phone is gone: the push service said so. Its owner reads of it on their own page (P7)."""

from __future__ import annotations

from typing import Any

import msgspec

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import factor_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.push.caller import NotPaired, paired_phone
from nightlatch.app.push.messages import Subscription
from nightlatch.app.push.sealed import open_push_secret, ways_of
from nightlatch.app.push.subscription import subscribed
from nightlatch.ports.store import Change, Snapshot, UserKey

_SYSTEM = Caller("system")


async def prune_subscription(ports: Ports, factor_id: str, transport: str, gone: Any = None) -> None:
    """Ring this phone no more in this way; nothing happens where it is not rung so any more.

    ``gone`` is what the push service no longer knew: a subscription that the phone renewed meanwhile stays.
    """

    async def decide(snapshot: Snapshot) -> Decided[None]:
        now = ports.clock.now()
        try:
            paired = paired_phone(ports, snapshot, factor_id, now)
        except NotPaired:
            return None, None
        ways = ways_of(open_push_secret(ports, paired.factor).subscriptions)
        rung_by = ways.pop(transport, None)
        if rung_by is None or gone not in (None, rung_by):
            return None, None
        event = factor_event(
            ports,
            _SYSTEM,
            now,
            "push:subscription_pruned",
            paired.user,
            paired.factor,
            outcome="failure",
            data={"transport": transport},
            personal={},
        )
        left = subscribed(ports, paired, msgspec.convert(ways, Subscription))
        return Change(root=paired.user.id, expected=snapshot.version, puts=(left,), events=(event,)), None

    await transact(ports.store, UserKey(factor=factor_id), decide)
