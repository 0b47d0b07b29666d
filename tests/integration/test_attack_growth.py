"""Somebody signs in again and again and sends no device token back: each approval makes a device."""

from __future__ import annotations

import pytest

from nightlatch.adapters.sql.engine import Database
from nightlatch.adapters.sql.retention import KEEP_DEVICES, KEEP_UNPROVED_DEVICES, Retention
from nightlatch.adapters.sql.store import SqlStore
from nightlatch.adapters.sql.tables import DEVICES
from nightlatch.domain.ids import DEVICE, new_id
from nightlatch.domain.records import Device
from nightlatch.domain.time import DAY, SECOND
from nightlatch.ports.store import Change, Outcome
from tests.support.databases import NOW
from tests.support.ports import SetClock


def seen(number: int, at: int, *, first: int = NOW, proved: bool = True) -> Device:
    """A device that was made once and last seen at an instant."""
    return Device(
        id=new_id(DEVICE, first, number.to_bytes(10, "big")),
        user_id="usr_1",
        application_id="app_1",
        token_hash=number.to_bytes(32, "big"),
        proved_at=first if proved else None,
        created_at=first,
        last_seen_at=at,
    )


@pytest.mark.parametrize(
    ("device", "goes"),
    [
        (seen(1, NOW, proved=False), NOW + KEEP_UNPROVED_DEVICES),
        (seen(2, NOW + 9 * DAY, proved=False), NOW + 9 * DAY + KEEP_UNPROVED_DEVICES),
        (seen(3, NOW), NOW + KEEP_DEVICES),
        (seen(4, NOW + 200 * DAY), NOW + 200 * DAY + KEEP_DEVICES),
    ],
)
async def test_a_device_that_nobody_comes_back_with_goes(
    store: SqlStore, database: Database, device: Device, goes: int
) -> None:
    """After a day where nothing was proved from it; else when no policy could still rely on it."""
    change = Change(root="usr_1", expected=0, new=(device,))
    assert await store.commit(change) is Outcome.APPLIED
    clock = SetClock()
    sweeping = Retention(database, clock)

    def kept(connection: object) -> int:
        return len(connection.execute(DEVICES.table.select()).all())  # type: ignore[attr-defined]

    for at, left in ((goes - SECOND, 1), (goes + SECOND, 0)):
        clock.at = at
        await sweeping.run_once()
        assert await database.read(kept) == left
