"""privacyIDEA beside us: installed from its lock into an environment of its own, on the same PostgreSQL.

As its documentation sets it up: its own command makes keys and tables, people come from an SQL resolver, settings
are its defaults. It runs under gunicorn with two workers. Tokens get no PIN, which is its fastest way: with one, even
an empty one, it computes an Argon2 hash a request.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import Load, request, saturate
from benchmarks.people import PERIOD, People, code_of
from benchmarks.processes import Failed, family, run, running
from tests.support.kept import free_port
from tests.support.postgres import PASSWORD, PostgresServer

WORKERS = 2
CONNECTIONS = 8
REALM = "bench"
ADMIN, ADMIN_PASSWORD = "admin", "benchmark-admin"
LOCK = Path("requirements", "bench.txt")
FORM = "application/x-www-form-urlencoded"
# It accepts codes of ±6 steps of 30 s: so many different ones of one token are right at once, used in order.
CODES_A_TOKEN = 9


def environment(build: Path) -> Path:
    """The folder of its programs, installed when the lock is newer than the installation."""
    place, lock = build / "privacyidea", LOCK.read_text("utf-8")
    stamp = place / "lock.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != lock:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        run([*pip, "install", "-qq", "--require-hashes", "-r", str(LOCK)])
        stamp.write_text(lock, "utf-8")
    return place / "bin"


@dataclass(frozen=True)
class Neighbor:
    """A running privacyIDEA. ``people`` without tokens yet wait in its realm."""

    port: int
    pid: int
    token: str
    database: PostgresServer
    url: str
    people: People

    def enroll(self, numbers: range, *, seconds: int) -> Load:
        """Make a TOTP token with its QR picture for each of these people, at saturation."""
        wanted = [
            request(
                f"127.0.0.1:{self.port}",
                "/token/init",
                urllib.parse.urlencode(
                    {
                        "type": "totp",
                        "otpkey": self.people.secret(number).hex(),
                        "user": self.people.username(number),
                        "realm": REALM,
                    }
                ).encode(),
                key=self.token,
                media_type=FORM,
            )
            for number in numbers
        ]
        load = saturate(self.port, wanted, seconds=seconds, connections=CONNECTIONS)
        made = int(self._sql("SELECT count(*) FROM token WHERE tokentype = 'totp'"))
        if made < load.requests:
            raise Failed(f"privacyIDEA answered {load.requests} enrolments and made {made}")
        return load

    def verify(self, *, seconds: int) -> Load:
        """Right codes of people with tokens, each used once, at saturation."""
        before = self._accepted()
        load = saturate(self.port, self._verifications(), seconds=seconds, connections=CONNECTIONS)
        accepted = self._accepted() - before
        if accepted < load.requests:
            raise Failed(f"privacyIDEA answered {load.requests} verifications and accepted {accepted}")
        return load

    def processes(self) -> list[int]:
        """Those of its web server."""
        return family(self.pid)

    def _verifications(self) -> list[bytes]:
        present = int(time.time()) // PERIOD
        owners = self._sql("SELECT DISTINCT user_id FROM tokenowner").split()
        return [
            request(
                f"127.0.0.1:{self.port}",
                "/validate/check",
                urllib.parse.urlencode(
                    {
                        "user": self.people.username(int(owner)),
                        "realm": REALM,
                        "pass": code_of(self.people.secret(int(owner)), present + back),
                    }
                ).encode(),
                media_type=FORM,
            )
            for back in range(-CODES_A_TOKEN // 2, CODES_A_TOKEN // 2)
            for owner in owners
        ]

    def _accepted(self) -> int:
        return int(self._sql("SELECT count(*) FROM pidea_audit WHERE action LIKE '%/validate/check' AND success = 1"))

    def _sql(self, statement: str) -> str:
        return self.database.sql(statement, database=self.url.rpartition("/")[2])


@contextmanager
def neighbor(programs: Path, folder: Path, postgres: PostgresServer, count: int) -> Iterator[Neighbor]:
    """privacyIDEA on a database of its own, with ``count`` people in its realm."""
    url = postgres.create_database()
    people = People(count)
    environ = _prepare(programs, folder, url)
    _fill(postgres, url, people)
    port = free_port()
    command = [str(programs / "gunicorn"), "-w", str(WORKERS), "-b", f"127.0.0.1:{port}"]
    application = "privacyidea.app:create_app(config_name='production', silent=True)"
    command.append(application)
    log = folder / "gunicorn.log"

    def ready() -> bool:
        return _answers(port)

    with running(command, log=log, ready=ready, env=environ):
        token = _set_up(port, postgres, url)
    # Started anew, since workers keep what they read of the realm before it was complete.
    with running(command, log=log, ready=ready, env=environ) as pid:
        _warm(port)
        yield Neighbor(port, pid, token, postgres, url, people)


def _warm(port: int) -> None:
    """A worker loads most of itself with its first request; so many reach both."""
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(lambda _: _answers(port), range(6 * WORKERS)))


def _prepare(programs: Path, folder: Path, url: str) -> dict[str, str]:
    settings = {
        "SECRET_KEY": "only for this benchmark: sessions",
        "PI_PEPPER": "only for this benchmark: passwords",
        "SQLALCHEMY_DATABASE_URI": url.replace("postgresql://", "postgresql+psycopg2://"),
        "PI_ENCFILE": str(folder / "enckey"),
        "PI_AUDIT_KEY_PRIVATE": str(folder / "private.pem"),
        "PI_AUDIT_KEY_PUBLIC": str(folder / "public.pem"),
        "PI_LOGFILE": str(folder / "privacyidea.log"),
        "PI_LOGLEVEL": 30,
    }
    config = folder / "pi.cfg"
    config.write_text("".join(f"{name} = {value!r}\n" for name, value in settings.items()), "utf-8")
    environ = {"PRIVACYIDEA_CONFIGFILE": str(config), "PATH": str(programs), "LANG": "C.UTF-8"}
    manage = programs / "pi-manage"
    for part in ("create_enckey", "create_audit_keys", "create_tables"):
        run([manage, "setup", part], env=environ)
    run([manage, "admin", "add", ADMIN, "-p", ADMIN_PASSWORD], env=environ)
    return environ


def _fill(postgres: PostgresServer, url: str, people: People) -> None:
    name = url.rpartition("/")[2]
    postgres.sql("CREATE TABLE people (id integer PRIMARY KEY, username text UNIQUE NOT NULL)", database=name)
    rows = ", ".join(f"({number}, '{people.username(number)}')" for number in range(people.count))
    postgres.sql(f"INSERT INTO people VALUES {rows}", database=name)


def _set_up(port: int, postgres: PostgresServer, url: str) -> str:
    """The resolver, the realm, and an administrator's token."""
    answer = _post(port, "/auth", {"username": ADMIN, "password": ADMIN_PASSWORD})
    token = str(answer["result"]["value"]["token"])
    resolver = {
        "type": "sqlresolver",
        "Driver": "postgresql+psycopg2",
        "Server": "127.0.0.1",
        "Port": str(postgres.port),
        "Database": url.rpartition("/")[2],
        "User": "postgres",
        "Password": PASSWORD,
        "Table": "people",
        "Map": json.dumps({"userid": "id", "username": "username"}),
    }
    _post(port, "/resolver/people", resolver, token)
    _post(port, f"/realm/{REALM}", {"resolvers": "people"}, token)
    return token


def _post(port: int, path: str, form: Mapping[str, str], token: str | None = None) -> Any:
    headers = {"Authorization": token} if token else {}
    body = urllib.parse.urlencode(form).encode()
    ask = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
    with urllib.request.urlopen(ask, timeout=30) as answer:
        return json.load(answer)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/auth/rights", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
