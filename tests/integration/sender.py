"""A process that delivers what is queued until SIGTERM: `python sender.py DATABASE_URL DATA_DIR PORT LEASE`.

It is wired like a server; its only gateway speaks to the counter on a port of this machine, a line for each text.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack

from nightlatch.app.context import Ports
from nightlatch.app.deliver import dispatch
from nightlatch.bootstrap import open_everything
from nightlatch.bootstrap.delivery import Outlets
from nightlatch.config import Settings, load_settings
from nightlatch.ports.delivery import Accepted, NotSent, Text


class LineGateway:
    """See ``ports.delivery.SmsGateway``."""

    name = "counter"

    def __init__(self, port: int) -> None:
        self._port = port

    async def send(self, text: Text) -> Accepted:
        """Connect, say which text, and wait for the answer."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            raise NotSent("no_connection") from error
        try:
            writer.write(f"{os.getpid()} {text.id} {text.to} {text.text}\n".encode())
            answer = await reader.readline()
        except OSError as error:
            raise NotSent("lost", uncertain=True) from error
        finally:
            writer.close()
        if not answer:
            raise NotSent("lost", uncertain=True)
        return Accepted(reference=answer.decode().strip())

    async def healthy(self) -> bool:
        """It is."""
        return True

    async def close(self) -> None:
        """Nothing stays open."""


async def main(url: str, data_dir: str, port: str, lease: str) -> None:
    """Deliver until told to stop."""
    # Shorter than in earnest, so that a test need not wait so long for the leases of the dead.
    dispatch.LEASE = int(lease)  # type: ignore[misc,unused-ignore]
    settings = load_settings({"database_url": url, "data_dir": data_dir}, alone=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def outlets(_settings: Settings, _ports: Ports, _stack: AsyncExitStack) -> Outlets:
        return Outlets(texts=(LineGateway(int(port)),))

    async with open_everything(settings, make=False, outlets=outlets):
        print("ready", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
