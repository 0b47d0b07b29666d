"""The handler of pushes: one transport a message, and an end to subscriptions that have ended themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nightlatch.app.deliver.dispatch import Sent
from nightlatch.domain.records import OutboxMessage
from nightlatch.ports.delivery import NotSent, PushMessage, PushTransport

Prune = Callable[[str, str, Any], Awaitable[None]]
"""Ends a factor's subscription of a transport, if it is still this one."""


class PushHandler:
    """See ``dispatch.Handler``. ``transports`` are by the name that subscriptions give; ``prune`` ends a
    factor's."""

    def __init__(self, transports: Mapping[str, PushTransport], prune: Prune) -> None:
        self._transports = transports
        self._prune = prune

    async def __call__(self, message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        """Hand a push to its transport. Raises ``NotSent``."""
        name: str = payload["transport"]
        transport = self._transports.get(name)
        if transport is None:
            raise NotSent("transport_not_set_up", permanent=True, gateway=name)
        push = PushMessage(
            id=message.id,
            subscription=payload["subscription"],
            content=content_of(payload),
            ttl=payload["ttl"],
            # A newer push takes the place of one that the phone has not seen yet.
            topic=payload["factor"].removeprefix("fac_"),
        )
        try:
            accepted = await transport.send(push)
        except NotSent as failure:
            failure.gateway = name
            if failure.gone:
                await self._prune(payload["factor"], name, payload["subscription"])
            raise
        return Sent(gateway=name, reference=accepted.reference)


def content_of(payload: dict[str, Any]) -> dict[str, Any]:
    """Declarative Web Push, so that a browser shows it even where no service worker runs; without answer buttons."""
    shown = {name: payload[name] for name in ("title", "body", "navigate")}
    return {"web_push": 8030, "notification": {**shown, "silent": False}, "nightlatch": payload["data"]}
