"""Where and with what a run was made, since figures alone say nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.support.postgres import PostgresServer

OURS = ("litestar", "uvicorn", "msgspec", "asyncpg", "sqlalchemy", "cryptography", "pyotp")


def description(postgres: PostgresServer | None, programs: Path | None) -> list[str]:
    """Lines for the head of the report."""
    lines = [
        f"machine: {os.cpu_count()} cores, {_processor()}, load {os.getloadavg()[0]:.1f} at the start",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {version(name)}" for name in OURS),
        f"load generators: {_said(['wrk', '-v'])}; benchmarks/paced.py on uvloop {version('uvloop')}",
    ]
    if postgres is not None:
        durable = ", ".join(
            f"{name}={postgres.sql(f'SHOW {name}')}"
            for name in ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")
        )
        lines.append(f"PostgreSQL {postgres.sql('SHOW server_version')}: {durable}")
        lines.append(_said([str(postgres.binaries / "pgbench"), "--version"]))
    if programs is not None:
        asked = "from importlib.metadata import version as v; print(v('privacyidea'), 'under gunicorn', v('gunicorn'))"
        lines.append(f"privacyIDEA {_said([str(programs / 'python'), '-c', asked])}, 2 workers")
    return lines


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
