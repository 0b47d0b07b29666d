"""Devices: browsers and apps that a user was seen on at the calling application."""

from __future__ import annotations

from nightlatch.app.devices import list_devices as list_
from nightlatch.app.devices import revoke_device as revoke
from nightlatch.app.devices import revoke_devices as revoke_all
from nightlatch.app.messages import DeviceAnswer, Page
from nightlatch.web.common.endpoint import Call, Endpoints

endpoints = Endpoints("Devices")


@endpoints.get("/v1/users/{user}/devices", scope="users:read")
async def list_devices(call: Call, user: str) -> Page[DeviceAnswer]:
    """List a user's devices.

    Those of the calling application, newest first.
    """
    return await list_(call.ports, call.caller, user)


@endpoints.delete("/v1/users/{user}/devices", scope="users:write")
async def revoke_devices(call: Call, user: str) -> None:
    """Forget all of a user's devices.

    Those of the calling application; the next sign-in from each counts as from a new one.
    """
    await revoke_all(call.ports, call.caller, user)


@endpoints.delete("/v1/users/{user}/devices/{device}", scope="users:write")
async def revoke_device(call: Call, user: str, device: str) -> None:
    """Forget a device."""
    await revoke(call.ports, call.caller, user, device)
