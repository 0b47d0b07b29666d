"""Open the SMS gateways that the settings name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

from nightlatch.adapters.delivery.console import ConsoleGateway
from nightlatch.adapters.delivery.http_template import BadTemplate, HttpTemplateGateway
from nightlatch.adapters.delivery.kannel import KannelGateway
from nightlatch.adapters.delivery.options import (
    KINDS,
    ConsoleOptions,
    GatewayOptions,
    HttpOptions,
    KannelOptions,
    SmppOptions,
    SnsOptions,
    TwilioOptions,
    VonageOptions,
)
from nightlatch.adapters.delivery.sns import SnsGateway
from nightlatch.adapters.delivery.twilio import TwilioGateway
from nightlatch.adapters.delivery.veto import HttpVeto
from nightlatch.adapters.delivery.vonage import VonageGateway
from nightlatch.app.context import Ports
from nightlatch.app.deliver.receipts import receive_receipts
from nightlatch.bootstrap.errors import CannotStart
from nightlatch.config import Settings
from nightlatch.ports.delivery import ReceiptReader, SmsGateway, SmsVeto
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.world import Clock

Receive = Callable[[Sequence[Receipt]], Awaitable[object]]


def open_gateways(settings: Settings, ports: Ports, stack: AsyncExitStack) -> tuple[SmsGateway, ...]:
    """In the order of the settings; the stack closes them. Raises ``CannotStart``."""
    receive = partial(receive_receipts, ports)
    return tuple(open_gateway(options, settings, ports.clock, receive, stack) for options in settings.sms.gateways)


def readers_of(gateways: Sequence[SmsGateway]) -> dict[str, ReceiptReader]:
    """The gateways that tell over HTTP what became of texts, by name."""
    return {gateway.name: gateway for gateway in gateways if isinstance(gateway, ReceiptReader)}


def open_veto(settings: Settings, stack: AsyncExitStack) -> SmsVeto | None:
    """Who is asked before each text, if anybody is."""
    if settings.sms.veto_url is None:
        return None
    veto = HttpVeto(settings.sms.veto_url, settings.sms.veto_token)
    stack.push_async_callback(veto.close)
    return veto


def open_gateway(
    options: GatewayOptions, settings: Settings, clock: Clock, receive: Receive, stack: AsyncExitStack
) -> SmsGateway:
    """One of them; the stack closes it. ``receive`` stores receipts that come on its own line. Raises ``CannotStart``."""
    try:
        gateway = _made(options, settings, clock, receive)
    except ModuleNotFoundError as error:
        raise CannotStart(
            f"The gateway {options.name} needs a library that is not installed ({error.name}): "
            f"install nightlatch[{kind_of(options)}]"
        ) from None
    except BadTemplate as error:
        raise CannotStart(f"sms.gateways.{options.name}: {error}") from None
    stack.push_async_callback(gateway.close)
    return gateway


def _made(options: GatewayOptions, settings: Settings, clock: Clock, receive: Receive) -> SmsGateway:
    sender = settings.sms.sender
    url = receipts_url(settings.public_url, options.name)
    match options:
        case SmppOptions():
            # An extra: who does not use this gateway need not have its library.
            from nightlatch.adapters.delivery.smpp import SmppGateway

            smpp = SmppGateway(options, clock, receive, sender=sender)
            smpp.start()
            return smpp
        case KannelOptions():
            base = options.receipts_url
            return KannelGateway(
                options, clock, sender=sender, receipts_url=receipts_url(base, options.name) if base else url
            )
        case TwilioOptions():
            return TwilioGateway(options, clock, sender=sender, receipts_url=url)
        case VonageOptions():
            return VonageGateway(options, clock, sender=sender, receipts_url=url)
        case SnsOptions():
            return SnsGateway(options, sender=sender)
        case HttpOptions():
            return HttpTemplateGateway(options, clock, sender=sender, receipts_url=url)
        case ConsoleOptions():
            return ConsoleGateway(options.name)
    raise AssertionError(f"no gateway is made of {type(options).__name__}")


def receipts_url(base: str, gateway: str) -> str:
    """Where this gateway tells us what became of texts; see ``web.api.sms_receipts``."""
    return f"{base.rstrip('/')}/v1/sms/receipts/{gateway}"


def kind_of(options: GatewayOptions) -> str:
    """The word for this kind in the settings."""
    return next(kind for kind, type_ in KINDS.items() if type_ is type(options))
