"""An SMSC over SMPP, on the server of smpp34: it takes texts, tells what became of them, and does what tests want.

``python -m tests.support.smsc`` runs one in a process of its own: it prints its port and, at the end, what it took.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import smpp34

from tests.support.kept import free_port

RECEIPT = "id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:{stat} err:000 text:"
_RECEIPT_CLASS = 4

THROTTLED, QUEUE_FULL, SYSTEM_ERROR = 0x58, 0x14, 0x08
BAD_DESTINATION, BAD_LENGTH, BAD_SOURCE = 0x0B, 0x01, 0x0A
"""Statuses (SMPP 3.4 §5.1.3)."""


@dataclass
class Smsc:
    """``status`` answers each text, 0 for taken; None: it never answers. ``state`` goes into receipts, None: none come."""

    port: int = field(default_factory=free_port)
    taken: list[smpp34.SubmitSmEvent] = field(default_factory=list)
    status: Callable[[smpp34.SubmitSmEvent], int | None] = lambda _: 0
    state: str | None = "DELIVRD"
    receipt: str = RECEIPT
    early: bool = False
    """Whether the receipt is sent before the answer."""
    sessions: dict[str, smpp34.Esme] = field(default_factory=dict)
    bound: int = 0
    told: int = 0
    refused: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Smsc]:
        """Listen until the end."""
        server = smpp34.Server(host="127.0.0.1", port=self.port, system_id="SIM34")
        await server.start()
        serving = asyncio.create_task(self._serve(server))
        try:
            yield self
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
            await server.stop()

    async def unbind(self) -> None:
        """End every session."""
        for session in list(self.sessions.values()):
            with suppress(smpp34.SmppError):
                await session.unbind()

    async def _serve(self, server: smpp34.Server) -> None:
        telling: set[asyncio.Task[None]] = set()
        while True:
            event = await server.next()
            if isinstance(event, smpp34.Esme):
                self.bound += 1
                self.sessions[event.session_id] = event
            elif isinstance(event, smpp34.SubmitSmEvent):
                task = asyncio.create_task(self._submitted(event))
                telling.add(task)
                task.add_done_callback(telling.discard)
            else:
                self.sessions.pop(event.session_id, None)

    async def _submitted(self, event: smpp34.SubmitSmEvent) -> None:
        status = self.status(event)
        if status is None:
            self.taken.append(event)
            await asyncio.sleep(60)
            return
        if status:
            event.reject(status)
            return
        self.taken.append(event)
        reference = f"p{len(self.taken)}"
        if self.early:
            await self._tell(event, reference)
        event.accept(message_id=reference)
        if not self.early:
            await self._tell(event, reference)

    async def _tell(self, event: smpp34.SubmitSmEvent, reference: str) -> None:
        if self.state is None or not event.registered_delivery:
            return
        words = self.receipt.format(id=reference, stat=self.state).encode()
        while session := self.sessions.get(event.session_id):
            try:
                answer = await session.deliver_sm(
                    event.source_addr, words, source_addr=event.destination_addr, esm_class=_RECEIPT_CLASS
                )
            except smpp34.SmppError:
                return
            if answer.is_success:
                self.told += 1
                return
            # What an SMSC does with a receipt that was not taken: it comes back with it.
            self.refused += 1
            await asyncio.sleep(0.05)


@asynccontextmanager
async def encrypted(port: int, certificate: str, key: str) -> AsyncIterator[int]:
    """A port that speaks TLS in front of one that does not."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, outside = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, outside), pump(inside, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _main() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with Smsc().running() as smsc:
        print(smsc.port, flush=True)
        await stopped.wait()
    print(len(smsc.taken), len({event.short_message for event in smsc.taken}), smsc.told, flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
    sys.exit(0)
