"""Pause a range of numbers whose codes nobody types, and lift a pause."""

from __future__ import annotations

from nightlatch.app.context import Caller, Ports
from nightlatch.app.events import make_event
from nightlatch.domain.errors import Conflict, NotFound
from nightlatch.domain.records import SMS_ROOT, SmsPause
from nightlatch.domain.sms.pumping import PAUSE, SETTLING, WINDOW, Tally, suspicious
from nightlatch.ports.store import Change, Outcome

RATIO = "few_codes_typed"

_SYSTEM = Caller("system")


async def look_for_pumping(ports: Ports) -> int:
    """Pause what looks as if it were sent for its price; how many prefixes. Of many processes one stores a pause."""
    now = ports.clock.now()
    records = ports.texts
    tallies = await records.tallies(now - WINDOW, now - SETTLING)
    paused = 0
    for tally in suspicious(tallies):
        running = await records.pause(tally.prefix)
        if running is not None and running.until > now:
            continue
        paused += await _paused(ports, tally, now)
    return paused


async def lift_pause(ports: Ports, caller: Caller, prefix: str) -> None:
    """Let texts go to a prefix again. Raises ``NotFound`` where it is not paused."""
    now = ports.clock.now()
    version = await ports.texts.version()
    pause = await ports.texts.pause(prefix)
    if pause is None or pause.until <= now:
        raise NotFound(f"Nothing is paused for {prefix}.")
    event = make_event(ports, caller, now, "sms:pause_lifted", data={"prefix": prefix})
    change = Change(root=SMS_ROOT, expected=version, deletes=(pause,), events=(event,))
    if await ports.store.commit(change) is not Outcome.APPLIED:
        raise Conflict


async def _paused(ports: Ports, tally: Tally, now: int) -> bool:
    pause = SmsPause(prefix=tally.prefix, reason=RATIO, paused_at=now, until=now + PAUSE)
    event = make_event(
        ports,
        _SYSTEM,
        now,
        "sms:prefix_paused",
        outcome="failure",
        reason=RATIO,
        data={"prefix": tally.prefix, "sent": tally.sent, "verified": tally.verified},
    )
    change = Change(root=SMS_ROOT, expected=await ports.texts.version(), puts=(pause,), events=(event,))
    return await ports.store.commit(change) is Outcome.APPLIED
