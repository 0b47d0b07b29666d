"""``nightlatch serve`` as people run it: processes, signals, key files, both databases."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import httpx
import pytest

from nightlatch.cli.running import SECONDS_TO_ANSWER
from tests.support.installation import WITHIN, Installation, Server, gone, kill

UNUSABLE = 3
USAGE = 2


@pytest.fixture
def sqlite(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


@pytest.fixture
def postgresql(tmp_path: Path, postgres_url: str) -> Installation:
    return Installation(tmp_path / "data", postgres_url, {"NIGHTLATCH_METRICS_TOKEN": "let-me-count-them"})


def status(server: Server, key: str) -> int:
    """What a call with this key is answered, on a connection of its own, so that any worker may get it."""
    return httpx.get(server.url + "/v1/users", headers={"authorization": f"Bearer {key}"}, timeout=WITHIN).status_code


def kids(server: Server) -> list[str]:
    return [key["kid"] for key in httpx.get(server.url + "/.well-known/jwks.json", timeout=WITHIN).json()["keys"]]


def refused(installation: Installation, *arguments: str) -> tuple[int, str]:
    """Exit code and message of a server that must not start."""
    installation.folder.mkdir(mode=0o700, exist_ok=True)
    done = installation.run_apart("serve", "--port", "0", *arguments)
    assert "Traceback" not in done.err
    lines = [line for line in done.err.splitlines() if line.startswith("nightlatch: ")]
    return done.code, "\n".join(lines)


def test_the_first_start_makes_what_nobody_else_may_read(sqlite: Installation) -> None:
    with sqlite.serving() as server:
        assert kids(server)
        assert sqlite.folder.stat().st_mode & 0o777 == 0o700
        for path in sqlite.folder.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
    assert server.process.returncode in (0, -signal.SIGTERM)


def test_keys_are_those_of_before_after_a_crash(sqlite: Installation) -> None:
    with sqlite.serving() as server:
        before = kids(server)
        server.kill()
    with sqlite.serving() as server:
        assert kids(server) == before


def test_a_running_server_follows_the_command_line_within_two_seconds(sqlite: Installation) -> None:
    with sqlite.serving() as server:
        made = sqlite.made("app", "create", "bank", "--scope", "users:read")
        assert status(server, made["api_key"]) == 200
        assert sqlite.run("app", "revoke", made["id"]).code == 0
        time.sleep(2)
        assert status(server, made["api_key"]) == 401


def test_an_sqlite_file_is_served_by_one_process(sqlite: Installation) -> None:
    with sqlite.serving():
        code, said = refused(sqlite)
        assert code == UNUSABLE
        assert "Another server serves" in said
        assert "postgresql://" in said
    code, said = refused(sqlite, "--workers", "2")
    assert code == USAGE
    assert "SQLite serves with one worker, not 2" in said
    with sqlite.serving() as server:
        assert kids(server)


def test_two_first_starts_on_one_sqlite_file_end_with_one_server_and_one_set_of_keys(sqlite: Installation) -> None:
    sqlite.folder.mkdir(mode=0o700)
    logs = [sqlite.folder.parent / f"{number}.log" for number in range(2)]
    servers = [Server(sqlite.start("serve", "--port", "0", log=log), log) for log in logs]
    try:
        deadline = time.monotonic() + WITHIN
        while all(server.process.poll() is None for server in servers) and time.monotonic() < deadline:
            time.sleep(0.05)
        (loser,) = [server for server in servers if server.process.poll() is not None]
        (winner,) = [server for server in servers if server is not loser]
        assert loser.process.returncode == UNUSABLE
        winner.wait()
        assert len(kids(winner)) == 1
        assert len(sqlite.made("keys", "list")) == 3
    finally:
        for server in servers:
            server.stop()


def test_workers_share_keys_and_counters_and_follow_the_command_line(postgresql: Installation) -> None:
    with postgresql.serving("--workers", "2") as server:
        assert len(server.workers()) == 2
        assert len(postgresql.made("keys", "list")) == 3
        made = postgresql.made("app", "create", "bank", "--scope", "users:read")
        assert {status(server, made["api_key"]) for _ in range(20)} == {200}
        deadline = time.monotonic() + WITHIN
        while _counted(server, 'route="/v1/users",status="200"') < 20:  # a request is counted once it was answered
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert postgresql.run("app", "revoke", made["id"]).code == 0
        time.sleep(2)
        assert {status(server, made["api_key"]) for _ in range(20)} == {401}


def _counted(server: Server, labels: str) -> float:
    """The sum over all workers, as any of them tells it."""
    page = httpx.get(server.url + "/metrics", headers={"authorization": "Bearer let-me-count-them"}, timeout=WITHIN)
    assert page.status_code == 200
    (line,) = [
        line for line in page.text.splitlines() if line.startswith("nightlatch_requests_total") and labels in line
    ]
    return float(line.rpartition(" ")[2])


def test_a_worker_that_dies_is_replaced_and_stopping_ends_all(postgresql: Installation) -> None:
    with postgresql.serving("--workers", "2") as server:
        first, second = server.workers()
        # It dies while it is asked whether it is well, which happens twice a second.
        os.kill(first, signal.SIGSTOP)
        time.sleep(1.5)
        kill(first)
        deadline = time.monotonic() + SECONDS_TO_ANSWER / 2
        while len(alive := [pid for pid in server.workers() if pid != first]) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert second in alive
        server.wait()
        stopping = time.monotonic()
        server.stop()
        assert gone(alive, within=1)
        assert time.monotonic() - stopping < SECONDS_TO_ANSWER / 2


def test_workers_do_not_outlive_a_parent_that_was_killed(postgresql: Installation) -> None:
    with postgresql.serving("--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait(WITHIN)
        ended = gone(workers)
        for pid in workers:
            kill(pid)
        assert ended


@pytest.mark.requirement("K1")
def test_two_first_starts_on_one_postgresql_database_end_with_one_set_of_keys(postgresql: Installation) -> None:
    postgresql.folder.mkdir(mode=0o700)
    logs = [postgresql.folder.parent / f"{number}.log" for number in range(2)]
    servers = [Server(postgresql.start("serve", "--port", "0", log=log), log) for log in logs]
    try:
        for server in servers:
            server.wait()
        assert kids(servers[0]) == kids(servers[1])
        assert len(postgresql.made("keys", "list")) == 3
    finally:
        for server in servers:
            server.stop()


@pytest.mark.requirement("K1")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_key_file_that_cannot_be_right_stops_the_start_and_says_why(
    kind: str, request: pytest.FixtureRequest
) -> None:
    installation: Installation = request.getfixturevalue(kind)
    with installation.serving() as server:
        before = kids(server)
    right = installation.key_file.read_text()

    installation.key_file.unlink()
    code, said = refused(installation)
    assert (code, installation.key_file.exists()) == (UNUSABLE, False)
    assert "is missing" in said
    assert "backup" in said

    other = Installation(installation.folder.parent / "other")
    other.made("app", "create", "another")
    installation.key_file.write_text(other.key_file.read_text())
    installation.key_file.chmod(0o600)
    code, said = refused(installation)
    assert code == UNUSABLE
    assert "is another key" in said

    installation.key_file.write_text(right)
    installation.key_file.chmod(0o644)
    code, said = refused(installation)
    assert code == UNUSABLE
    assert f"chmod 600 {installation.key_file}" in said

    installation.key_file.chmod(0o600)
    installation.key_file.write_text(right[:30])
    code, said = refused(installation)
    assert code == UNUSABLE
    assert "is damaged" in said

    installation.key_file.write_text(right)
    with installation.serving() as server:
        assert kids(server) == before


@pytest.mark.requirement("K1")
def test_a_wrong_key_stops_several_workers_as_well(postgresql: Installation) -> None:
    postgresql.made("app", "create", "bank")
    postgresql.key_file.unlink()
    code, said = refused(postgresql, "--workers", "2")
    assert code == UNUSABLE
    assert "is missing" in said


def test_a_key_may_come_from_the_environment(sqlite: Installation) -> None:
    sqlite.made("app", "create", "bank")
    key = sqlite.key_file.read_text().strip()
    sqlite.key_file.unlink()
    given = Installation(sqlite.folder, environ={"NIGHTLATCH_KEY": key})
    with given.serving() as server:
        assert kids(server)
    code, said = refused(Installation(sqlite.folder, environ={"NIGHTLATCH_KEY": key[:-1]}))
    assert code == UNUSABLE
    assert "NIGHTLATCH_KEY is damaged" in said
    assert key[20:40] not in said


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("NIGHTLATCH_PROT", "1", "did you mean NIGHTLATCH_PORT?"),
        ("NIGHTLATCH_PUBLIC_URL", "http://mfa.example", "https except on loopback"),
        ("NIGHTLATCH_BRAND_ACCENT", "#FFCC00", "did you mean #"),
        ("NIGHTLATCH_DATABASE_URL", "mysql://a/b", "sqlite:///"),
    ],
)
def test_wrong_settings_stop_the_start(sqlite: Installation, name: str, value: str, reason: str) -> None:
    code, said = refused(Installation(sqlite.folder, environ={name: value}))
    assert code == USAGE
    assert reason in said


def test_a_port_that_is_taken_is_told_before_anything_is_touched(sqlite: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = sqlite.run_apart("serve", "--port", str(taken.getsockname()[1]))
    assert done.code == USAGE
    assert "cannot listen" in done.err
    assert not sqlite.folder.exists()


def test_a_database_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    down = Installation(tmp_path / "data", f"postgresql://nightlatch:hunter2@127.0.0.1:{port}/nightlatch")
    code, said = refused(down)
    assert code == UNUSABLE
    assert "does not answer" in said
    assert "hunter2" not in said


@pytest.mark.requirement("X8", "X4")
def test_nothing_of_a_request_is_logged_that_could_hold_a_token(sqlite: Installation) -> None:
    token = "T" * 43
    with sqlite.serving() as server:
        headers = {"authorization": f"Bearer nlk_{token}"}
        httpx.get(f"{server.url}/prompt/{token}?code={token}", headers=headers, timeout=WITHIN)
        log = server.log
    assert token not in log.read_text()
    assert os.path.getsize(log) > 0
