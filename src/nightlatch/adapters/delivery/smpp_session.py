"""One session with an SMSC (SMPP 3.4), bound as a transceiver, on the PDUs of aiosmpplib.

The session is our own, where aiosmpplib has one too: a text must know whether it was written when the line broke, since
that decides who may send it next; TLS; a window; and no receipt, however odd, may end the receiving.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiosmpplib.protocol import (
    BindTransceiver,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SmppMessage,
    SubmitSm,
    Unbind,
    UnbindResp,
)
from aiosmpplib.state import PduHeader, SmppCommand, SmppCommandStatus

from nightlatch.adapters.delivery.options import SmppOptions
from nightlatch.ports.delivery import NotSent

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
GOODBYE_SECONDS = 1.0
LONGEST_PDU = 64 * 1024
LAST_SEQUENCE = 0x7FFFFFFF

OK = int(SmppCommandStatus.ESME_ROK)
_ANSWER = 0x80000000
_HEADER = struct.Struct("!IIII")
_ENCODING = "gsm0338"

_log = logging.getLogger("nightlatch.sms")


class Answered(NamedTuple):
    """An answer to a request of ours: its status and, to a text, the SMSC's name for it."""

    status: int
    reference: str


class _Pdu(NamedTuple):
    command: int
    status: int
    sequence: int
    raw: bytes


Hear = Callable[["Session", DeliverSm], Awaitable[None]]
"""Takes what the SMSC delivers, and sees to it that ``Session.acknowledge`` is called."""


class Session:
    """A bound session, from ``open_session``. ``ended`` is set when it cannot be used any more."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: SmppOptions, hear: Hear
    ) -> None:
        self.ended = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._options = options
        self._hear = hear
        self._window = asyncio.Semaphore(options.window)
        self._waiting: dict[int, asyncio.Future[Answered]] = {}
        self._sequence = 0
        self._heard = asyncio.get_running_loop().time()
        self._tasks: list[asyncio.Task[None]] = []

    async def bind(self) -> None:
        """Say who we are. Raises ``NotSent`` where it does not want us."""
        self._tasks.append(asyncio.create_task(self._read(), name=f"smpp {self._options.name}: read"))
        request = BindTransceiver(
            system_id=self._options.system_id,
            password=self._options.password,
            system_type=self._options.system_type,
        )
        answered = await self._ask(request)
        if answered.status != OK:
            raise NotSent(f"bind_{answered.status:#x}")
        self._tasks.append(asyncio.create_task(self._keep(), name=f"smpp {self._options.name}: keep"))

    async def submit(self, message: SubmitSm) -> Answered:
        """Hand a text over. Raises ``NotSent``, uncertain once it was written."""
        async with self._window:
            if self.ended.is_set():
                raise NotSent("not_connected")
            return await self._ask(message)

    def acknowledge(self, sequence: int, status: SmppCommandStatus) -> None:
        """Answer a delivery: taken, or to be sent again."""
        if not self.ended.is_set():
            self._writer.write(DeliverSmResp(sequence_num=sequence, command_status=status).pdu())

    async def close(self) -> None:
        """Say goodbye, and end."""
        if not self.ended.is_set():
            try:
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._ask(Unbind())
            except (NotSent, TimeoutError):
                pass
        self._end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, request: SmppMessage) -> Answered:
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        sequence = request.sequence_num = self._sequence
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = answer
        try:
            self._writer.write(request.pdu())
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.drain()
                return await answer
        except TimeoutError:
            raise NotSent("timeout", uncertain=True) from None
        except OSError:
            raise NotSent("connection_lost", uncertain=True) from None
        finally:
            del self._waiting[sequence]
            if answer.done() and not answer.cancelled():
                answer.exception()  # looked at, for where writing failed first

    async def _read(self) -> None:
        try:
            while True:
                pdu = await self._pdu()
                self._heard = asyncio.get_running_loop().time()
                if not await self._handled(pdu):
                    return
        except (OSError, EOFError, ValueError, struct.error):
            pass
        finally:
            self._end()

    async def _pdu(self) -> _Pdu:
        head = await self._reader.readexactly(_HEADER.size)
        length, command, status, sequence = _HEADER.unpack(head)
        if not _HEADER.size <= length <= LONGEST_PDU:
            raise ValueError("a PDU of an impossible length")
        return _Pdu(command, status, sequence, head + await self._reader.readexactly(length - _HEADER.size))

    async def _handled(self, pdu: _Pdu) -> bool:
        """Whether the session goes on."""
        if pdu.command & _ANSWER:
            self._answered(pdu)
        elif pdu.command == SmppCommand.DELIVER_SM:
            await self._delivered(pdu)
        elif pdu.command == SmppCommand.ENQUIRE_LINK:
            self._writer.write(EnquireLinkResp(sequence_num=pdu.sequence).pdu())
        elif pdu.command == SmppCommand.UNBIND:
            self._writer.write(UnbindResp(sequence_num=pdu.sequence).pdu())
            return False
        else:
            refusal = GenericNack(sequence_num=pdu.sequence, command_status=SmppCommandStatus.ESME_RINVCMDID)
            self._writer.write(refusal.pdu())
        return True

    def _answered(self, pdu: _Pdu) -> None:
        waiting = self._waiting.get(pdu.sequence)
        if waiting is not None and not waiting.done():
            reference = pdu.raw[_HEADER.size :].split(b"\0", 1)[0]
            waiting.set_result(Answered(pdu.status, reference.decode("ascii", "replace")))

    async def _delivered(self, pdu: _Pdu) -> None:
        header = PduHeader(len(pdu.raw), SmppCommand.DELIVER_SM, SmppCommandStatus.ESME_ROK, pdu.sequence)
        try:
            message = DeliverSm.from_pdu(pdu.raw, header, _ENCODING)
            assert isinstance(message, DeliverSm)
        except Exception as error:  # noqa: BLE001 (what a library makes of odd bytes; the next receipt may be well)
            _log.warning("%s: a delivery cannot be read (%s)", self._options.name, type(error).__name__)
            # Taken, or the SMSC would send it for ever.
            self.acknowledge(pdu.sequence, SmppCommandStatus.ESME_ROK)
            return
        await self._hear(self, message)

    async def _keep(self) -> None:
        """Ask whether somebody is there when it was silent for a while; end when nobody answers."""
        loop = asyncio.get_running_loop()
        every = self._options.enquire_seconds
        while not self.ended.is_set():
            await asyncio.sleep(max(0.0, self._heard + every - loop.time()))
            if loop.time() - self._heard < every:
                continue
            try:
                await self._ask(EnquireLink())
            except NotSent:
                self._end()

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())
        self._writer.close()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()


async def open_session(options: SmppOptions, hear: Hear) -> Session:
    """Connect and bind. Raises ``NotSent``; nothing was sent to anybody then."""
    secured = ssl.create_default_context(cafile=options.ca_file) if options.tls else None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(options.host, options.port, ssl=secured)
    except ssl.SSLError:
        raise NotSent("tls_refused") from None
    except TimeoutError:
        raise NotSent("timeout") from None
    except OSError:
        raise NotSent("unreachable") from None
    session = Session(reader, writer, options, hear)
    try:
        await session.bind()
    except NotSent as error:
        await session.close()
        raise NotSent(error.reason) from None
    except BaseException:
        await session.close()
        raise
    return session
