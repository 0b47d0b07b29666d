"""Service accounts: they hold no factor, and are bound instead by an expiry and, if wanted, by networks."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from nightlatch.domain.policy.compiled import CompiledPolicy
from nightlatch.domain.policy.decision import Context, Decision, Reason, Subject
from nightlatch.domain.policy.needs import floor_of

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NETWORKS_KEPT = 4096

_ALLOWED = Reason("service_account", None, "allow", "a service account inside its networks and before its expiry")
_NOT_EXCLUDED = Reason(
    "service_account_not_excluded",
    None,
    "deny",
    "the policy does not exclude service accounts, and they cannot hold a factor",
)
_EXPIRED = Reason("service_account_expired", None, "deny", "this service account has expired")
_PROVES_NOTHING = Reason("assurance_unreachable", None, "deny", "a service account has no factor, and proves no level")
_OUTSIDE = Reason("service_account_outside_networks", None, "deny", "this address is outside the account's networks")


def decide_service(policy: CompiledPolicy, subject: Subject, context: Context, now: int) -> Decision:
    """Allow a service account within its bounds, and deny it everywhere else. There is nothing between the two."""
    level, raised = floor_of(policy, subject, context)
    reasons = [reason for reason, _ in raised]
    if raised:
        reasons.append(_PROVES_NOTHING)
    reasons += _beyond_bounds(policy, subject, context, now)
    return Decision(
        outcome="deny" if reasons else "allow",
        acr_required=level,
        reasons=tuple(reasons) or (_ALLOWED,),
        policy_version=policy.version,
    )


def _beyond_bounds(policy: CompiledPolicy, subject: Subject, context: Context, now: int) -> tuple[Reason, ...]:
    if policy.covers(subject.groups) and not policy.excludes_services:
        return (_NOT_EXCLUDED,)
    if subject.expires_at is None or now >= subject.expires_at:
        return (_EXPIRED,)
    addresses = (context.ip,) if context.peer_ip is None else (context.ip, context.peer_ip)
    if subject.networks and not all(_inside(address, subject.networks) for address in addresses):
        return (_OUTSIDE,)
    return ()


def _inside(text: str, networks: tuple[str, ...]) -> bool:
    """Whether an address is in one of the networks. What cannot be read is outside."""
    address = _address(text)
    return address is not None and any(
        (network := _network(item)) is not None and address in network for item in networks
    )


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket that listens on both families shows IPv4 callers as ::ffff:192.0.2.1.
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


@lru_cache(maxsize=_NETWORKS_KEPT)
def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
