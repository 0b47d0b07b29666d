"""Logs hold no secret, whoever writes it where, and no value passes for a line of its own."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from nightlatch.adapters.logs import configure_logging

TOKEN = "A" * 42 + "_"


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers, root.level)
    configure_logging(plain=False, stream=stream)
    yield stream
    root.handlers, root.level = before
    structlog.reset_defaults()


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


@pytest.mark.requirement("K3")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token", "abc"),
        ("device_token", "abc"),
        ("code", "123456"),
        ("backup_codes", ["0ABC-DEFG"]),
        ("secret", "JBSWY3DP"),
        ("Authorization", "anything"),
        ("api_key", "abc"),
        ("blob", b"abc"),
        ("url", "https://example.org/cb?code=abc&state=def"),
        ("path", f"/prompt/{TOKEN}"),
        ("header", "Bearer abc.def"),
        ("note", "my key is nlk_" + "a" * 49),
        ("database", "postgresql://u:abc@h/d"),
        ("uri", "otpauth://totp/a?secret=abc"),
        ("jwt", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhYmMifQ.abc"),
        ("nested", {"headers": {"cookie": "abc"}}),
    ],
)
def test_secrets_are_taken_out_by_name_and_by_form(output: io.StringIO, name: str, value: object) -> None:
    structlog.get_logger("test").info("something", **{name: value})
    logging.getLogger("library").warning("plain %s", value if isinstance(value, str) and len(value) > 20 else "")
    (written, _) = lines(output)
    assert "[redacted]" in json.dumps(written)
    for secret in ("abc", "123456", "0ABC", "JBSWY3DP", "anything", "aaaa", TOKEN):
        assert secret not in output.getvalue().replace("nlk_[redacted]", "")


def test_what_logs_are_read_for_stays(output: io.StringIO) -> None:
    structlog.get_logger("test").warning("refused", error_code="throttled", user="usr_" + "0" * 32, seconds=1.5)
    (written,) = lines(output)
    assert written["error_code"] == "throttled"
    assert written["user"] == "usr_" + "0" * 32
    assert written["seconds"] == 1.5
    assert written["level"] == "warning"


@pytest.mark.requirement("G2")
def test_control_characters_cannot_forge_a_line(output: io.StringIO) -> None:
    structlog.get_logger("test").info("name\n{}", name="a\nb\x1b[2J\u2028\x85", **{"key\n": 1})
    configure_logging(plain=True, stream=output)
    structlog.get_logger("test").info("again", name="a\nb\x1b[2J\u2028\x85\r")
    first, second = output.getvalue().splitlines()
    assert json.loads(first)["name"] == r"a\nb\x1b[2J\u2028\x85"
    assert r"a\nb\x1b[2J\u2028\x85\r" in second


def test_a_traceback_tells_no_values_of_a_statement(output: io.StringIO) -> None:
    try:
        raise RuntimeError("boom [SQL: select 1]\n[parameters: ('hunter2', b'hunter2')]\n(Background on this)")
    except RuntimeError:
        structlog.get_logger("test").exception("failed")
    assert "boom" in output.getvalue()
    assert "hunter2" not in output.getvalue()
