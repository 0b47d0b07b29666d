"""From bytes to a message: whoever sends nonsense hears about all of it, and nothing breaks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from nightlatch.app.messages import NewAuthentication, NewFactor, NewUser, OneShot, UserPatch
from nightlatch.domain.errors import FieldProblem, Invalid
from nightlatch.web.api.audit import EventQuery
from nightlatch.web.common.decoding import BodyDecoder
from nightlatch.web.common.problems import Malformed
from nightlatch.web.common.query import PageQuery, read_query


def problems_in(type_: type, value: Any) -> list[FieldProblem]:
    with pytest.raises(Invalid) as refused:
        BodyDecoder(type_).decode(value if isinstance(value, bytes) else msgspec.json.encode(value))
    return list(refused.value.fields)


def test_every_bad_field_is_named_at_once() -> None:
    """msgspec alone would have stopped at the first."""
    found = problems_in(
        OneShot, {"user": 7, "cod": "1", "context": {"ip": None, "user_agnt": "x"}, "first_factor": "pwt"}
    )
    assert {(item.pointer, item.code, item.nearest) for item in found} == {
        ("/user", "wrong_type", None),
        ("/cod", "unknown_field", "code"),
        ("/code", "missing", None),
        ("/context/ip", "wrong_type", None),
        ("/context/user_agnt", "unknown_field", "user_agent"),
        ("/first_factor", "invalid_choice", "pwd"),
    }


def test_items_of_lists_are_named_by_their_place() -> None:
    found = problems_in(NewUser, {"username": "maya", "groups": ["staff", 1, None]})
    assert [item.pointer for item in found] == ["/groups/1", "/groups/2"]


def test_of_a_union_the_part_that_was_meant_is_explained() -> None:
    """``user`` is a name or a new person; an object is taken for a person."""
    found = problems_in(NewAuthentication, {"user": {"user_name": "maya"}, "context": {"ip": "192.0.2.7"}})
    assert {(item.pointer, item.code, item.nearest) for item in found} == {
        ("/user/user_name", "unknown_field", "username"),
        ("/user/username", "missing", None),
    }


def test_a_misspelt_kind_gets_the_nearest_one() -> None:
    (found,) = problems_in(NewFactor, {"kind": "topt"})
    assert (found.pointer, found.code, found.nearest) == ("/kind", "invalid_choice", "totp")


def test_null_is_no_list_where_only_absence_is_allowed() -> None:
    (found,) = problems_in(UserPatch, {"groups": None})
    assert (found.pointer, found.code) == ("/groups", "wrong_type")


def test_keys_are_escaped_in_pointers() -> None:
    """RFC 6901 §3."""
    (found,) = problems_in(NewUser, {"username": "maya", "a/b~c": 1})
    assert found.pointer == "/a~1b~0c"


@pytest.mark.parametrize("body", [b"[]", b"7", b'"maya"', b"null", b"true"])
def test_a_body_that_is_no_object_is_told_so(body: bytes) -> None:
    (found,) = problems_in(NewUser, body)
    assert (found.pointer, found.code) == ("", "wrong_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"username":"ma',
        b'{"username":"maya"',
        b"{'username':1}",
        b'{"username":"\xff\xfe"}',
        b'{"username":"\\ud800"}',
        b'{"username":"a\nb"}',
        b'{"username":NaN}',
        b'{"username":' + b"[" * 50_000,
        b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"x":' + b"9" * 5000 + b"}",
        b'{"x":1e999}',
    ],
    ids=[
        "empty",
        "truncated_text",
        "truncated_object",
        "quotes",
        "utf8",
        "surrogate",
        "newline",
        "nan",
        "deep_truncated",
        "deep",
        "huge_integer",
        "huge_float",
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        BodyDecoder(NewUser).decode(body)
    assert refused.value.code == "malformed_json"


def test_nul_is_refused_wherever_it_stands() -> None:
    """U+0000 never reaches a database, which would fail on it."""
    found = problems_in(
        NewAuthentication, b'{"user":"a\\u0000","context":{"ip":"1"},"action_details":{"x":["\\u0000"]}}'
    )
    assert [item.pointer for item in found] == ["/user", "/action_details/x/0"]
    assert {item.code for item in found} == {"control_character"}


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    user = BodyDecoder(NewUser).decode(b'{"username":"maya","display_name":"\\\\u0000"}')
    assert user.display_name == "\\u0000"


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    """RFC 8259 §4 leaves it open; most readers of JSON have it so."""
    assert BodyDecoder(NewUser).decode(b'{"username":"a","username":"b"}').username == "b"


def test_query_parameters_are_read_by_type() -> None:
    assert read_query(PageQuery, b"limit=7&cursor=usr%5F1") == PageQuery(limit=7, cursor="usr_1")


@pytest.mark.parametrize(
    ("raw", "pointer", "code", "nearest"),
    [
        (b"limt=5", "/limt", "unknown_parameter", "limit"),
        (b"limit=5&limit=6", "/limit", "repeated_parameter", None),
        (b"limit=", "/limit", "wrong_type", None),
        (b"limit=ten", "/limit", "wrong_type", None),
        (b"limit=0", "/limit", "wrong_type", None),
        (b"limit=201", "/limit", "wrong_type", None),
        (b"since=null", "/since", "wrong_type", None),
        (b"since=2026-01-01T00:00:00", "/since", "wrong_type", None),
        (b"cursor=a%00b", "/cursor", "control_character", None),
    ],
)
def test_query_parameters_are_refused_by_name(raw: bytes, pointer: str, code: str, nearest: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        read_query(EventQuery, raw)
    (found,) = refused.value.fields
    assert (found.pointer, found.code, found.nearest) == (pointer, code, nearest)


@pytest.mark.parametrize("raw", [b"cursor=%ff", b"\xff=1", b"&".join(b"a=1" for _ in range(40))])
def test_a_query_that_cannot_be_read_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_query(PageQuery, raw)
