"""How a phone is rung: it says so itself, and may say otherwise at any time."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from msgspec.structs import replace

from nightlatch.app.context import Ports
from nightlatch.app.events import factor_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.push.caller import Paired, Phone, paired_phone
from nightlatch.app.push.enroll import with_state
from nightlatch.app.push.messages import NewSubscription, Subscription
from nightlatch.app.push.nobody import PhoneStore
from nightlatch.app.push.sealed import open_push_secret, seal_push_secret, ways_of
from nightlatch.domain.errors import Invalid
from nightlatch.domain.fields import BadField
from nightlatch.domain.ntfy import is_topic
from nightlatch.domain.records import Factor
from nightlatch.ports.store import Change, Snapshot, UserKey

# Resolvers read more than four numbers with dots as an address: "2130706433", "0x7f.1", and "localhost." is localhost.
# What is at the end of a name begins with a letter.
_NAME = re.compile(r"([a-z0-9_-]+\.)*[a-z][a-z0-9-]*")
_LOCAL = re.compile(r"(.+\.)?localhost")


async def set_subscription(ports: Ports, phone: Phone, request: NewSubscription) -> None:
    """Ring this phone in these ways from now on, and in no other. Raises ``Invalid``, ``NotPaired``."""
    try:
        subscriptions = checked_subscription(ports, request.subscription)
    except BadField as bad:
        raise Invalid.field("/subscription", bad.code, bad.detail) from None

    async def decide(snapshot: Snapshot) -> Decided[None]:
        now = ports.clock.now()
        paired = paired_phone(ports, snapshot, phone.factor_id, now)
        if open_push_secret(ports, paired.factor).subscriptions == subscriptions:
            return None, None
        event = factor_event(
            ports,
            paired.caller,
            now,
            "push:subscription_changed",
            paired.user,
            paired.factor,
            outcome="info",
            data={"transports": list(ways_of(subscriptions))},
            personal={},
        )
        rung = subscribed(ports, paired, subscriptions)
        return Change(root=paired.user.id, expected=snapshot.version, puts=(rung,), events=(event,)), None

    await transact(PhoneStore(ports), UserKey(factor=phone.factor_id), decide)


def subscribed(ports: Ports, paired: Paired, subscriptions: Subscription) -> Factor:
    """The factor, rung in these ways."""
    factor = paired.factor
    secret = replace(open_push_secret(ports, factor), subscriptions=subscriptions)
    sealed = seal_push_secret(ports, secret, factor_id=factor.id, user_id=factor.user_id)
    rung = with_state(factor, replace(paired.state, transports=tuple(ways_of(subscriptions))))
    return replace(rung, sealed=sealed)


def checked_subscription(ports: Ports, given: Subscription | None) -> Subscription:
    """The ways to ring, each fit to be called by this server. Raises ``BadField``."""
    if given is None:
        return Subscription()
    if given.web is not None:
        _check_address(given.web.endpoint, plain=not ports.site.public_url.startswith("https://"))
    if given.ntfy is not None and not is_topic(given.ntfy, ports.site.ntfy_servers):
        raise BadField("invalid_address", "One topic at an ntfy server that this server's settings name.")
    return given


def _check_address(address: str, *, plain: bool) -> None:
    """What this server will post to: https, on a host with a name; on a machine of its own also http on itself."""
    bad = BadField("invalid_address", "Not an address that messages can be posted to.")
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise bad from None
    if host is None or not address.isascii() or not address.isprintable() or "@" in parts.netloc or parts.fragment:
        raise bad
    local = _LOCAL.fullmatch(host) is not None or _is_loopback(host)
    if parts.scheme == "https" and (plain or (_NAME.fullmatch(host) and not local)):
        return
    if not (parts.scheme == "http" and local and plain):
        raise BadField("invalid_address", "Push services have https addresses with a host name.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
