"""An SMSC over SMPP 3.4: one session that is kept up, texts through it, receipts back on it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta

from aiosmpplib.protocol import DeliverSm, SubmitSm
from aiosmpplib.state import NPI, TON, PhoneNumber, SmppCommandStatus

from nightlatch.adapters.delivery.alphabet import written
from nightlatch.adapters.delivery.options import SmppOptions
from nightlatch.adapters.delivery.smpp_session import CONNECT_SECONDS, OK, Session, open_session
from nightlatch.adapters.delivery.validity import seconds_left
from nightlatch.ports.delivery import Accepted, NotSent, Text
from nightlatch.ports.outbox import Receipt
from nightlatch.ports.world import Clock

FIRST_REST = 0.5
LONGEST_REST = 30.0
"""Seconds between tries to connect: doubled at each that fails."""

HELD_BACK = 1.0
"""Seconds in which nothing is sent after it said that we are too quick."""

RECEIPTS_AT_ONCE = 200

THROTTLED = (SmppCommandStatus.ESME_RTHROTTLED, SmppCommandStatus.ESME_RMSGQFUL)
NUMBERS_FAULT = {
    SmppCommandStatus.ESME_RINVDSTADR: "bad_number",
    SmppCommandStatus.ESME_RINVDSTTON: "bad_number",
    SmppCommandStatus.ESME_RINVDSTNPI: "bad_number",
    SmppCommandStatus.ESME_RINVMSGLEN: "too_long",
}
"""Statuses that no other gateway and no repeat will mend (SMPP 3.4 §5.1.3)."""

DELIVERED = "DELIVRD"
FAILED = ("EXPIRED", "DELETED", "UNDELIV", "REJECTD")
"""Final states of a receipt (SMPP 3.4 appendix B). ENROUTE, ACCEPTD and UNKNOWN are none."""

_WITH_HEADER = 0b0100_0000
_WITH_RECEIPT = 1
_NUMBER = re.compile(r"\+?[0-9]+")
_SHORT = 8
_TOLD = re.compile(r"\b(id|stat):(\S+)", re.IGNORECASE)

Receive = Callable[[Sequence[Receipt]], Awaitable[object]]
"""Stores receipts; what it raises, they are sent again for."""

_log = logging.getLogger("nightlatch.sms")


class SmppGateway:
    """See ``ports.delivery.SmsGateway``. ``start`` it on its event loop; until then it sends nothing.

    A long text goes in parts; its receipt and its reference are those of the last one. A repeat under the same id is a
    second text: SMPP compares nothing.
    """

    def __init__(self, options: SmppOptions, clock: Clock, receive: Receive, *, sender: str | None) -> None:
        self.name = options.name
        self._options = options
        self._clock = clock
        self._receive = receive
        self._source = _source(options.sender or sender)
        self._session: Session | None = None
        self._tried = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._heard: asyncio.Queue[tuple[Session, int, Receipt]] = asyncio.Queue()
        self._held_until = 0.0
        self._number = 0

    def start(self) -> None:
        """Connect, and stay connected until ``close``."""
        self._tasks = [
            asyncio.create_task(self._live(), name=f"smpp {self.name}"),
            asyncio.create_task(self._store(), name=f"smpp {self.name}: receipts"),
        ]

    async def send(self, text: Text) -> Accepted:
        """Raises ``NotSent``."""
        session = await self._ready()
        if asyncio.get_running_loop().time() < self._held_until:
            raise NotSent("throttled")
        self._number = (self._number + 1) % 256
        wording = written(text.text, self._number)
        reference = ""
        for place, part in enumerate(wording.parts, start=1):
            message = self._message(text, part, gsm=wording.gsm, headed=wording.headed)
            message.registered_delivery = _WITH_RECEIPT if place == len(wording.parts) else 0
            reference = await self._submitted(session, message, begun=place > 1)
        return Accepted(reference=reference)

    async def healthy(self) -> bool:
        """Whether a session is bound."""
        try:
            await self._ready()
        except NotSent:
            return False
        return True

    async def close(self) -> None:
        """Unbind, and stay away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ready(self) -> Session:
        """The session; at the start the first try is waited for, later nobody waits."""
        if self._session is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * CONNECT_SECONDS):
                    await self._tried.wait()
        if self._session is None:
            raise NotSent("not_connected")
        return self._session

    async def _submitted(self, session: Session, message: SubmitSm, *, begun: bool) -> str:
        """The SMSC's name for it. ``begun``: parts of the text were taken before."""
        try:
            answered = await session.submit(message)
        except NotSent as error:
            raise NotSent(error.reason, uncertain=error.uncertain or begun) from None
        if answered.status == OK:
            return answered.reference
        if answered.status in THROTTLED:
            self._held_until = asyncio.get_running_loop().time() + HELD_BACK
            raise NotSent("throttled", uncertain=begun)
        reason = next((word for status, word in NUMBERS_FAULT.items() if status == answered.status), None)
        raise NotSent(reason or f"smpp_{answered.status:#x}", permanent=reason is not None, uncertain=begun)

    def _message(self, text: Text, part: bytes, *, gsm: bool, headed: bool) -> SubmitSm:
        message = SubmitSm(
            short_message=text.text,
            source=self._source,
            destination=PhoneNumber(text.to.removeprefix("+"), TON.INTERNATIONAL, NPI.ISDN),
            esm_class=_WITH_HEADER if headed else 0,
            encoding=None if gsm else "ucs2",
            validity_period=timedelta(seconds=seconds_left(text, self._clock)),
        )
        message.set_encoded_message(part)
        return message

    async def _live(self) -> None:
        rest = FIRST_REST
        while True:
            try:
                session = await open_session(self._options, self._hear)
            except NotSent as error:
                _log.warning("%s: no session with the SMSC (%s)", self.name, error.reason)
                self._tried.set()
                await asyncio.sleep(rest)
                rest = min(2 * rest, LONGEST_REST)
                continue
            _log.info("%s: bound to the SMSC", self.name)
            self._session = session
            self._tried.set()
            try:
                await session.ended.wait()
            finally:
                if session.ended.is_set():
                    self._session = None
            _log.warning("%s: the session with the SMSC ended", self.name)
            rest = FIRST_REST
            await asyncio.sleep(rest)

    async def _hear(self, session: Session, message: DeliverSm) -> None:
        receipt = self._receipt(message)
        if receipt is None:
            session.acknowledge(message.sequence_num, SmppCommandStatus.ESME_ROK)
        else:
            self._heard.put_nowait((session, message.sequence_num, receipt))

    def _receipt(self, message: DeliverSm) -> Receipt | None:
        """None for texts that people write to us, and for states on the way."""
        if not message.is_receipt():
            return None
        try:
            told = message.parse_receipt()
        except ValueError:
            # Dates with seconds and errors in letters are common, and of no use to us.
            told = {name.lower(): value for name, value in _TOLD.findall(message.short_message)}
        reference, state = str(told.get("id", "")), str(told.get("stat", "")).upper()
        if not reference or (state != DELIVERED and state not in FAILED):
            return None
        delivered = state == DELIVERED
        error = None if delivered else f"smpp_{state.lower()}"
        return Receipt(gateway=self.name, reference=reference, delivered=delivered, error=error)

    async def _store(self) -> None:
        """Receipts are stored first and acknowledged then; what cannot be stored, the SMSC sends again."""
        while True:
            batch = [await self._heard.get()]
            while len(batch) < RECEIPTS_AT_ONCE and not self._heard.empty():
                batch.append(self._heard.get_nowait())
            try:
                await self._receive([receipt for _, _, receipt in batch])
                status = SmppCommandStatus.ESME_ROK
            except Exception as error:  # noqa: BLE001 (whatever it is, receiving goes on)
                _log.warning("%s: receipts were not stored (%s)", self.name, type(error).__name__)
                status = SmppCommandStatus.ESME_RX_T_APPN
            for session, sequence, _ in batch:
                session.acknowledge(sequence, status)


def _source(sender: str | None) -> PhoneNumber:
    """Type and plan of a sender (SMPP 3.4 §5.2.5): a number, a short one of a network's own, or a name."""
    if sender is None:
        return PhoneNumber("")
    if not _NUMBER.fullmatch(sender):
        return PhoneNumber(sender, TON.ALPHANUMERIC, NPI.UNKNOWN)
    digits = sender.removeprefix("+")
    if len(digits) <= _SHORT and digits == sender:
        return PhoneNumber(digits, TON.NETWORK_SPECIFIC, NPI.UNKNOWN)
    return PhoneNumber(digits, TON.INTERNATIONAL, NPI.ISDN)
