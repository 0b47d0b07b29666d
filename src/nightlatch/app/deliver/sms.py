"""The handler of texts: the gateways of the number's route in their order, each behind a circuit of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightlatch.app.deliver.dispatch import Sent
from nightlatch.domain.records import OutboxMessage
from nightlatch.domain.sms import circuit
from nightlatch.domain.sms.circuit import Circuit, CircuitState
from nightlatch.domain.sms.routing import Route, gateways_for
from nightlatch.ports.delivery import NotSent, SmsGateway, Text
from nightlatch.ports.world import Clock

NO_GATEWAY = "no_gateway"


class SmsHandler:
    """See ``dispatch.Handler``. ``gateways`` are in the operator's order, for numbers without a route of their own.

    A gateway that certainly did not take a text leaves it to the next one at once. One whose answer was lost ends the
    attempt: it may have taken the text, and the repeat under the same id begins with it again, which tells a gateway
    that compares ids that it is one and the same.
    """

    def __init__(
        self,
        gateways: Sequence[SmsGateway],
        clock: Clock,
        *,
        routes: Sequence[Route] = (),
    ) -> None:
        self._gateways = {gateway.name: gateway for gateway in gateways}
        self._clock = clock
        self._routes = routes
        self._circuits = {gateway.name: Circuit() for gateway in gateways}

    def states(self) -> dict[str, CircuitState]:
        """How this process sees its gateways, for health and metrics."""
        now = self._clock.now()
        return {name: circuit.state_of(kept, now) for name, kept in self._circuits.items()}

    async def __call__(self, message: OutboxMessage, payload: dict[str, Any]) -> Sent:
        """Hand a text to the first gateway that takes it. Raises ``NotSent``."""
        text = Text(id=message.id, to=payload["to"], text=payload["text"], expires_at=message.expires_at)
        last = NotSent(NO_GATEWAY)
        for name in gateways_for(self._routes, tuple(self._gateways), text.to, message.route.get("country")):
            if self._clock.now() >= text.expires_at:
                break
            try:
                return await self._through(name, text)
            except NotSent as failure:
                last = failure
                if failure.permanent or failure.uncertain:
                    raise
        raise last

    async def _through(self, name: str, text: Text) -> Sent:
        begun = circuit.begin(self._circuits[name], self._clock.now())
        if begun is None:
            raise NotSent("gateway_down", gateway=name)
        self._circuits[name] = begun
        gateway = self._gateways[name]
        try:
            if begun.trial and not await gateway.healthy():
                raise NotSent("gateway_down")
            accepted = await gateway.send(text)
        except NotSent as failure:
            failure.gateway = name
            # A text that no gateway would take says nothing against this one.
            self._told(name, well=failure.permanent)
            raise
        except BaseException:
            self._told(name, well=False)
            raise
        self._told(name, well=True)
        return Sent(gateway=name, reference=accepted.reference)

    def _told(self, name: str, *, well: bool) -> None:
        kept = self._circuits[name]
        told = circuit.after_success(kept) if well else circuit.after_failure(kept, self._clock.now())
        self._circuits[name] = told
