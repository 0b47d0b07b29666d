"""Devices: browsers and apps that a user was seen on. An application sees only those that it made."""

from __future__ import annotations

from msgspec.structs import replace

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.app.kernel import Decided, transact
from nightlatch.app.messages import DeviceAnswer, Page
from nightlatch.app.users.reference import existing, user_key
from nightlatch.domain.errors import NotFound
from nightlatch.domain.records import Device, Event, User
from nightlatch.domain.time import moment
from nightlatch.ports.store import Change, Snapshot


async def list_devices(ports: Ports, caller: Caller, ref: str) -> Page[DeviceAnswer]:
    """The user's devices that are not revoked, newest first. Raises ``NotFound``."""
    user = existing(await ports.store.load(user_key(ref)))
    return Page(data=[_answer(device) for device in await _seen_by(ports, caller, user)])


async def revoke_device(ports: Ports, caller: Caller, ref: str, device_id: str) -> None:
    """Forget a device at once. Raises ``NotFound``, also for a foreign one and one that was revoked."""

    async def decide(snapshot: Snapshot) -> Decided[None]:
        user = existing(snapshot)
        now = ports.clock.now()
        device = next((d for d in await _seen_by(ports, caller, user) if d.id == device_id), None)
        if device is None:
            raise NotFound("There is no such device.")
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=(replace(device, revoked_at=now),),
            events=(_event(ports, caller, user, now, (device,), "revoked"),),
        )
        return change, None

    await transact(ports.store, user_key(ref), decide)


async def revoke_devices(ports: Ports, caller: Caller, ref: str) -> None:
    """Forget all devices of a user that the caller sees. Raises ``NotFound`` for an unknown user."""

    async def decide(snapshot: Snapshot) -> Decided[None]:
        user = existing(snapshot)
        now = ports.clock.now()
        devices = tuple(await _seen_by(ports, caller, user))
        if not devices:
            return None, None
        change = Change(
            root=user.id,
            expected=snapshot.version,
            puts=tuple(replace(device, revoked_at=now) for device in devices),
            events=(_event(ports, caller, user, now, devices, "revoked"),),
        )
        return change, None

    await transact(ports.store, user_key(ref), decide)


async def revoked_all(
    ports: Ports, caller: Caller, user: User, now: int, *, reason: str
) -> tuple[tuple[Device, ...], tuple[Event, ...]]:
    """All devices of a user, revoked, and the event that says so; to be stored with what made it necessary.

    Call it after the version was read: a device that is added later moves the version, and the change is decided again.
    """
    devices = tuple(d for d in await ports.directory.devices(user.id, None) if d.revoked_at is None)
    if not devices:
        return (), ()
    return tuple(replace(d, revoked_at=now) for d in devices), (_event(ports, caller, user, now, devices, reason),)


async def _seen_by(ports: Ports, caller: Caller, user: User) -> list[Device]:
    application = caller.application
    devices = await ports.directory.devices(user.id, application.id if application else None)
    return [device for device in devices if device.revoked_at is None]


def _event(ports: Ports, caller: Caller, user: User, now: int, devices: tuple[Device, ...], reason: str) -> Event:
    agents = sorted({device.user_agent for device in devices if device.user_agent})
    return make_event(
        ports,
        caller,
        now,
        "device:revoked",
        user=user,
        reason=reason,
        data={"devices": [device.id for device in devices]},
        personal={"user_agents": agents},
    )


def _answer(device: Device) -> DeviceAnswer:
    return DeviceAnswer(
        id=device.id,
        application=device.application_id,
        user_agent=device.user_agent,
        remembered=device.remembered_at is not None,
        created_at=moment(device.created_at),
        last_seen_at=moment(device.last_seen_at),
    )
