"""Every command, as people and programs call it: answers, exit codes, one clear line on what is wrong."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from nightlatch.cli.output import printable, shown
from tests.support.installation import Installation, Ran, command_of, gone

REFUSED, USAGE, UNUSABLE = 1, 2, 3
ARTICLE = """\
mfa_enforcement:
  all_users: true
  grace_period: 30_days
  exclude_service_accounts: true
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Installation:
    """An empty installation on each kind of database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    return Installation(tmp_path / "data", url)


@pytest.fixture
def sqlite(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def told(done: Ran, code: int) -> str:
    """The one line of a command that failed with this code."""
    assert done.code == code, (done.code, done.err)
    assert "Traceback" not in done.err
    assert done.out == ""
    (line,) = done.err.splitlines()
    return line


def exported(installation: Installation, *arguments: str) -> list[dict[str, object]]:
    done = installation.run("audit", "export", *arguments)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.mark.requirement("G1")
def test_whatever_an_operator_does_is_in_the_audit_log_with_their_name(installation: Installation) -> None:
    application = installation.made("app", "create", "bank", "--scope", "authenticate", "--scope", "enroll")
    assert application["api_key"].startswith("nlk_")
    rotated = installation.made("app", "rotate", application["id"])
    assert rotated["api_key"] != application["api_key"]
    maya = installation.made("user", "create", "Maya", "--display-name", "Maya Rao", "--group", "staff")
    assert maya["username"] == "maya"
    assert installation.run("user", "disable", "maya").code == 0
    assert installation.made("user", "show", "maya")["status"] == "disabled"
    assert installation.run("user", "enable", "maya").code == 0
    assert installation.run("user", "delete", "maya", "--yes").code == 0
    assert installation.run("app", "revoke", application["id"]).code == 0

    events = exported(installation)
    assert [event["type"] for event in events] == [
        "keys:created",
        "application:created",
        "key:rotated",
        "user:created",
        "user:disabled",
        "user:enabled",
        "user:deleted",
        "application:revoked",
    ]
    assert [event["seq"] for event in events] == list(range(1, 9))
    assert {event["actor"] for event in events[1:]} == {f"operator:cli:{pwd.getpwuid(os.getuid()).pw_name}"}
    assert exported(installation, "--after", "6") == events[6:]
    assert exported(installation, "--type", "key:rotated") == events[2:3]
    assert exported(installation, "--user", maya["id"]) == events[3:7]
    assert not set(json.dumps(events)) & {"\n"}
    assert application["api_key"] not in json.dumps(events)


def test_lists_are_json_for_programs_and_tables_for_people(sqlite: Installation) -> None:
    made = sqlite.made("app", "create", "bank", "--return-url", "https://bank.example/in")
    for number in range(3):
        sqlite.made("user", "create", f"person-{number}")
    (application,) = sqlite.made("app", "list")
    assert application["id"] == made["id"]
    assert "api_key" not in application
    assert [user["username"] for user in sqlite.made("user", "list", "--limit", "2")] == ["person-0", "person-1"]
    assert [user["username"] for user in sqlite.made("user", "list", "--search", "person-2")] == ["person-2"]
    table = sqlite.run("user", "list").out
    assert [line.split()[1] for line in table.splitlines()[1:]] == ["person-0", "person-1", "person-2"]
    assert sqlite.made("factor", "list", "person-0") == []
    assert sqlite.run("device", "list", "person-0").err == "person-0 has no devices.\n"


def test_service_accounts_need_an_owner_and_an_end(sqlite: Installation) -> None:
    done = sqlite.run("user", "create", "nightly", "--kind", "service")
    assert done.code == REFUSED
    assert {line.split(": ")[1] for line in done.err.splitlines()} == {"owner", "expires_at"}
    made = sqlite.made(
        "user", "create", "nightly", "--kind", "service", "--owner", "maya", "--expires-at", "2099-01-01T00:00:00Z"
    )
    assert made["expires_at"] == "2099-01-01T00:00:00Z"
    assert "no time like" in told(sqlite.run("user", "create", "x", "--expires-at", "tomorrow"), USAGE)


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("app", "list"), UNUSABLE, "nightlatch serve makes one"),
        (("user", "delete", "maya"), USAGE, "--yes"),
        (("device", "revoke", "maya"), USAGE, "--all"),
        (("ap", "list"), USAGE, 'Did you mean "app"?'),
        (("app", "list", "--jsn"), USAGE, "Did you mean --json?"),
        (("serve", "--port", "many"), USAGE, "--port"),
        (("app", "revoke"), USAGE, "requires an argument"),
        (("policy", "apply", "none.yaml"), USAGE, "No such file"),
        (("app", "list", "--config", "none.toml"), USAGE, "No such file"),
        (("app", "list", "--database", "mysql://a"), USAGE, "sqlite:///"),
    ],
)
def test_a_mistake_is_one_line_that_says_how_to_mend_it(
    sqlite: Installation, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    assert reason in told(sqlite.run(*arguments), code)
    assert not sqlite.folder.exists()


def test_what_is_not_there_is_said_so(sqlite: Installation) -> None:
    sqlite.made("user", "create", "maya")
    assert "no such user" in told(sqlite.run("user", "show", "nobody"), REFUSED)
    assert "no such application" in told(sqlite.run("app", "revoke", "app_none"), REFUSED)
    assert "no factor fac_none" in told(sqlite.run("factor", "show", "maya", "fac_none"), REFUSED)
    assert "no such device" in told(sqlite.run("device", "revoke", "maya", "dev_none"), REFUSED)
    assert "did you mean authenticate?" in told(sqlite.run("app", "create", "a", "--scope", "authenticat"), REFUSED)
    assert "taken" in told(sqlite.run("user", "create", "MAYA"), REFUSED)


@pytest.mark.requirement("B1")
def test_an_operator_does_not_go_round_the_owners_approval(sqlite: Installation) -> None:
    with sqlite.serving() as server:
        key = sqlite.made("app", "create", "bank", "--scope", "admin")["api_key"]
        call = httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}, timeout=60)
        call.post("/v1/users", json={"username": "maya"})
        factor = call.post("/v1/users/maya/factors", json={"kind": "hotp"}).json()
        code = subprocess.run(
            ["oathtool", "--base32", "--counter=0", factor["enrollment"]["secret"]],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        active = call.post(f"/v1/users/maya/factors/{factor['id']}/activation", json={"code": code})
        assert active.status_code == 200, active.text

        said = told(sqlite.run("factor", "revoke", "maya", factor["id"]), REFUSED)
        assert "--approval atn_" in said
        assert "recovery" in said
        said = told(sqlite.run("factor", "revoke", "maya", factor["id"], "--approval", "atn_" + "0" * 32), REFUSED)
        assert "own approval" in said
        kept = {one["id"] for one in sqlite.made("factor", "list", "maya")}
        assert factor["id"] in kept
        shown_ = sqlite.made("factor", "show", "maya", factor["id"])
        assert factor["enrollment"]["secret"] not in json.dumps(shown_)
        assert "approval:refused" in {event["type"] for event in exported(sqlite)}
        assert "was not stopped" in told(sqlite.run("factor", "unlock", "maya", factor["id"]), 0)


def test_a_policy_is_checked_by_line_and_column_and_applied_whole(sqlite: Installation, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(ARTICLE)
    bad.write_text(ARTICLE.replace("all_users", "all_user"))

    # A build checks without a database, and makes none.
    assert sqlite.run("policy", "check", str(good)).code == 0
    done = sqlite.run("policy", "check", str(bad))
    assert done.code == REFUSED
    assert done.err.splitlines()[0].startswith(f"{bad}:2:3: ")
    assert "(did you mean all_users?)" in done.err
    trap = tmp_path / "trap.yaml"
    trap.write_text(ARTICLE + "first_factor: {confirm: invitation}\n")
    refused = f"{trap}:{len(ARTICLE.splitlines()) + 1}:25: confirm: invitation is not supported"
    assert told(sqlite.run("policy", "check", str(trap)), REFUSED).startswith(refused)
    assert not sqlite.folder.exists()

    assert sqlite.run("policy", "apply", str(good)).code == 0
    assert sqlite.run("policy", "show").out == ARTICLE
    assert sqlite.made("policy", "show")["version"] == 1
    done = sqlite.run("policy", "apply", str(bad))
    assert (done.code, done.err.splitlines()[0].startswith(f"{bad}:2:3: ")) == (REFUSED, True)
    for command in ("check", "apply"):
        assert told(sqlite.run("policy", command, str(trap)), REFUSED).startswith(refused)
    assert sqlite.made("policy", "show")["version"] == 1

    weaker = tmp_path / "weaker.yaml"
    weaker.write_text("mfa_enforcement: {groups: [admins], grace_period: 60_days}\n")
    assert "admins" in sqlite.run("policy", "check", str(weaker)).err
    sqlite.made("user", "create", "maya", "--group", "admins")
    checked = sqlite.made("policy", "check", str(weaker))
    assert checked["weakens"]
    assert "changed meanwhile" in told(sqlite.run("policy", "apply", str(weaker), "--if-version", "0"), REFUSED)
    applied = sqlite.run("policy", "apply", str(weaker), "--if-version", "1")
    assert "weaker than before" in applied.err
    assert "Version 2 is in force" in applied.err
    assert sqlite.run("policy", "show", "--version", "1").out == ARTICLE
    assert "all_users" in sqlite.run("policy", "show", "--version", "0").out


def test_doctor_finds_nothing_wrong_with_a_good_installation(installation: Installation) -> None:
    installation.made("app", "create", "bank")
    done = installation.run("doctor")
    assert done.code == 0, done.out
    assert not [line for line in done.out.splitlines() if line.startswith("fail")]
    names = {finding["name"]: finding["status"] for finding in json.loads(installation.run("doctor", "--json").out)}
    expected = {
        "configuration",
        "public url",
        "data directory",
        "database",
        "writing",
        "keys",
        "clock",
        "policy",
        "audit",
    }
    assert expected <= set(names)
    assert (installation.database is not None) == ("wake-ups" in names)


@pytest.mark.parametrize(
    ("break_it", "name", "reason"),
    [
        (lambda it: it.key_file.chmod(0o644), "keys", "chmod 600"),
        (lambda it: it.key_file.unlink(), "keys", "is missing"),
        (lambda it: it.key_file.write_text("nonsense"), "keys", "holds no"),
        (lambda it: it.environ.update(NIGHTLATCH_PROT="1"), "configuration", "did you mean NIGHTLATCH_PORT?"),
        (lambda it: (it.folder / "nightlatch.db").unlink(), "database", "no Nightlatch in"),
        (lambda it: (it.folder / "nightlatch.db").write_bytes(b"garbage" * 1000), "database", "not a database"),
    ],
)
def test_doctor_names_what_is_wrong_and_how_to_mend_it(
    sqlite: Installation, break_it: object, name: str, reason: str
) -> None:
    sqlite.made("app", "create", "bank")
    assert callable(break_it)
    break_it(sqlite)
    done = sqlite.run("doctor", "--json")
    assert done.code == REFUSED
    (failed,) = [finding for finding in json.loads(done.out) if finding["status"] == "fail"]
    assert failed["name"] == name
    assert reason in failed["detail"]


def test_doctor_warns_of_an_open_directory_and_of_valkey_that_is_away(sqlite: Installation, valkey_url: str) -> None:
    sqlite.environ["NIGHTLATCH_VALKEY_URL"] = valkey_url
    sqlite.made("app", "create", "bank")
    sqlite.folder.chmod(0o755)
    found = {one["name"]: one for one in json.loads(sqlite.run("doctor", "--json").out)}
    assert found["valkey"]["status"] == "ok"
    assert found["data directory"]["status"] == "warn"
    assert found["data directory"]["mend"] == f"chmod 700 {sqlite.folder}"
    sqlite.environ["NIGHTLATCH_VALKEY_URL"] = "valkey://127.0.0.1:1/0"
    done = sqlite.run("doctor", "--json")
    assert done.code == REFUSED
    assert {one["name"] for one in json.loads(done.out) if one["status"] == "fail"} == {"valkey"}


def test_a_reader_that_goes_away_is_no_error(sqlite: Installation) -> None:
    sqlite.made("app", "create", "bank")
    process = sqlite.start("audit", "export")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) in (0, 130)
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_every_command_helps_and_shows_examples(sqlite: Installation) -> None:
    for command in ((), ("app",), ("user",), ("factor",), ("device",), ("policy",), ("audit",), ("keys",)):
        done = sqlite.run(*command, "--help")
        assert done.code == 0
        assert "Examples:" in done.out, command
    assert sqlite.run_apart("--version").out.startswith("nightlatch ")
    assert told(sqlite.run_apart("ap"), USAGE).startswith("nightlatch: ")


@pytest.mark.requirement("X6")
def test_the_demo_listens_on_this_machine_only_and_no_other_server_has_it(sqlite: Installation) -> None:
    with sqlite.serving() as server:
        assert httpx.get(server.url + "/demo", timeout=60).status_code == 404
    log = sqlite.folder.parent / "demo.log"
    sqlite.environ["NIGHTLATCH_HOST"] = "0.0.0.0"
    process = sqlite.start("demo", "--port", "0", log=log)
    try:
        deadline = time.monotonic() + 60
        while "/demo" not in log.read_text() and time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        address = log.read_text().partition("Nightlatch is at ")[2].split()[0]
        assert httpx.get(address, timeout=60, follow_redirects=True).status_code == 200
        port = int(address.rpartition(":")[2].partition("/")[0])
        listening = Path("/proc/net/tcp").read_text()
        assert f"0100007F:{port:04X} 00000000:0000 0A" in listening
        assert f"00000000:{port:04X} 00000000:0000 0A" not in listening
    finally:
        process.terminate()
        process.wait(30)
        assert gone([process.pid]) or not command_of(process.pid)


@pytest.mark.requirement("G2")
def test_nothing_that_is_shown_reaches_the_terminal_as_a_command() -> None:
    assert printable("a\x1b[2Jb\nc\u202e") == r"a\x1b[2Jb\nc\u202e"
    assert shown(["x\ry", None]) == r"x\ry, -"
