"""What the settings name as ways out: SMS gateways in their order, the mail server, what rings phones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from nightlatch.adapters.delivery.demo import DemoGateway
from nightlatch.adapters.delivery.smtp import SmtpTransport
from nightlatch.app.context import Ports
from nightlatch.bootstrap.delivery import Outlets
from nightlatch.bootstrap.gateways import open_gateways, open_veto
from nightlatch.bootstrap.phones import open_transports
from nightlatch.config import Settings

OpenOutlets = Callable[[Settings, Ports, AsyncExitStack], Awaitable[Outlets]]


async def demo_outlets(settings: Settings, ports: Ports, stack: AsyncExitStack) -> Outlets:
    """Texts arrive on the demo's own phone, whatever the settings say."""
    return Outlets(texts=(DemoGateway(ports.clock),), phones=open_transports(settings, ports, stack))


async def open_outlets(settings: Settings, ports: Ports, stack: AsyncExitStack) -> Outlets:
    """Open them; the stack closes them. Receipts that they bring go to ``app.deliver.receipts``."""
    return Outlets(
        texts=open_gateways(settings, ports, stack),
        routes=settings.sms.routes,
        veto=open_veto(settings, stack),
        mail=SmtpTransport(settings.mail, ports.clock) if settings.mail else None,
        phones=open_transports(settings, ports, stack),
    )
