"""Open the transports that ring phones."""

from __future__ import annotations

from contextlib import AsyncExitStack

from nightlatch.adapters.delivery.push_ntfy import Ntfy
from nightlatch.adapters.delivery.push_web import WebPush
from nightlatch.app.context import Ports
from nightlatch.bootstrap.errors import CannotStart
from nightlatch.config import Settings
from nightlatch.domain.webpush import vapid_key
from nightlatch.ports.delivery import PushTransport

NOBODY = "mailto:nobody@localhost.invalid"
"""Who a push service may write to where no contact is set and our own address is no https one."""


def open_transports(settings: Settings, ports: Ports, stack: AsyncExitStack) -> dict[str, PushTransport]:
    """By the name that subscriptions give. Web Push always works; the others where they are set up.

    The stack closes them. Raises ``CannotStart``.
    """
    transports: dict[str, PushTransport] = {"web": _web(settings, ports)}
    push = settings.push
    if push.ntfy_servers:
        transports["ntfy"] = Ntfy(push.ntfy_servers, token=push.ntfy_token)
    try:
        if push.fcm_account is not None:
            # Extras: who does not ring phones in these ways need not have their libraries.
            from nightlatch.adapters.delivery.push_fcm import Fcm

            transports["fcm"] = Fcm(dict(push.fcm_account), url=push.fcm_url)
        if push.apns is not None:
            from nightlatch.adapters.delivery.push_apns import Apns

            apns = push.apns
            transports["apns"] = Apns(
                apns.key, ports.clock, key_id=apns.key_id, team_id=apns.team_id, topic=apns.topic, url=apns.url
            )
    except ImportError as error:
        raise CannotStart(
            f"[push] needs a library that is not installed ({error.name}): install nightlatch[fcm,apns]"
        ) from None
    except ValueError as error:
        raise CannotStart(f"[push]: a key cannot be used ({error})") from None
    for transport in transports.values():
        stack.push_async_callback(transport.close)
    return transports


def _web(settings: Settings, ports: Ports) -> WebPush:
    ours = settings.public_url if settings.public_url.startswith("https://") else NOBODY
    return WebPush(
        vapid_key(ports.sealer.digest),
        ports.clock,
        ports.entropy,
        contact=settings.push.contact or ours,
        services=settings.push.services,
    )
