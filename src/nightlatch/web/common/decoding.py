"""From bytes to a typed message; whoever sends nonsense hears about all of it at once.

The good way is one pass of msgspec. It stops at the first error, so the bad way decodes again
without types and walks the value beside the type, naming each field that does not fit.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct, UnsetType
from msgspec.structs import FieldInfo

from nightlatch.domain.errors import FieldProblem, Invalid
from nightlatch.web.common.problems import Malformed

T = TypeVar("T")

_ESCAPED_NUL = b"\\u0000"
_MOST = 100
"""Problems that are told: more than anybody reads, and few enough to be cheap to find."""


class BodyDecoder(Generic[T]):
    """Decodes JSON into one type.

    A key that comes twice counts as its last value, as most readers of JSON have it (RFC 8259 §4).
    """

    def __init__(self, type_: type[T]) -> None:
        self._type = type_
        self._decoder = msgspec.json.Decoder(type_)

    def decode(self, body: bytes) -> T:
        """Raises ``Malformed`` for what is no JSON, ``Invalid`` with every field that does not fit."""
        try:
            if _ESCAPED_NUL in body:
                self._refuse_nul(body)
            try:
                return self._decoder.decode(body)
            except msgspec.ValidationError as error:
                raise self._explained(body, error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(error) from error

    def _refuse_nul(self, body: bytes) -> None:
        """Databases refuse U+0000 in text; here it is a field's fault instead of a failure."""
        fields = _first(_nul_problems(_untyped(body), ""))
        if fields:
            raise Invalid(fields=fields)

    def _explained(self, body: bytes, error: msgspec.ValidationError) -> Invalid:
        fields = _first(problems(self._type, _untyped(body), ""))
        return Invalid(fields=fields or (FieldProblem("", "invalid", f"{error}."),))


def convert_all(type_: type[T], value: Mapping[str, Any]) -> T:
    """The same for values that are decoded already, numbers still being text (a query string)."""
    try:
        return msgspec.convert(value, type_, strict=False)
    except msgspec.ValidationError as error:
        fields = _first(problems(type_, value, "", strict=False))
        raise Invalid(fields=fields or (FieldProblem("", "invalid", f"{error}."),)) from error


def problems(type_: Any, value: Any, pointer: str, *, strict: bool = True) -> Iterator[FieldProblem]:
    """Everything that keeps this value from being of this type."""
    type_ = _chosen(type_, value)
    if _is_struct(type_) and isinstance(value, Mapping):
        yield from _object_problems(type_, value, pointer, strict)
    elif get_origin(type_) in (list, tuple) and isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(get_args(type_)[0], item, f"{pointer}/{index}", strict=strict)
    else:
        yield from _value_problems(type_, value, pointer, strict)


def _first(found: Iterator[FieldProblem]) -> tuple[FieldProblem, ...]:
    return tuple(islice(found, _MOST))


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), None)


def escaped(key: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901 §3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _object_problems(
    type_: type[Struct], value: Mapping[Any, Any], pointer: str, strict: bool
) -> Iterator[FieldProblem]:
    fields = _fields_of(type_)
    for key in value:
        if key not in fields and type_.__struct_config__.forbid_unknown_fields:
            detail = "There is no such field." if strict else "There is no such parameter."
            code = "unknown_field" if strict else "unknown_parameter"
            yield FieldProblem(f"{pointer}/{escaped(key)}", code, detail, nearest(key, list(fields)))
    for name, field in fields.items():
        if name in value:
            yield from problems(field.type, value[name], f"{pointer}/{escaped(name)}", strict=strict)
        elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
            yield FieldProblem(f"{pointer}/{escaped(name)}", "missing", "This field is required.")


def _value_problems(type_: Any, value: Any, pointer: str, strict: bool) -> Iterator[FieldProblem]:
    try:
        msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as error:
        choices = _choices(type_)
        if choices and isinstance(value, str):
            detail = f"Use one of: {', '.join(choices)}."
            yield FieldProblem(pointer, "invalid_choice", detail, nearest(value, choices))
        else:
            yield FieldProblem(pointer, _code_of(error), f"{str(error).replace('`', '')}.")


def _code_of(error: msgspec.ValidationError) -> str:
    return "wrong_type" if str(error).startswith("Expected") else "invalid"


def _chosen(type_: Any, value: Any) -> Any:
    """Of a union the part that the value was meant for; the union itself where that is unclear."""
    if get_origin(type_) not in (Union, UnionType):
        return type_
    parts = [part for part in get_args(type_) if part not in (UnsetType, type(None))]
    if isinstance(value, Mapping):
        return next((part for part in parts if _is_struct(part)), type_)
    if isinstance(value, list):
        return next((part for part in parts if get_origin(part) in (list, tuple)), type_)
    return parts[0] if len(parts) == 1 and value is not None else type_


def _is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, Struct)


@lru_cache(maxsize=256)
def _fields_of(type_: type[Struct]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(type_)}


def _choices(type_: Any) -> list[str]:
    """The words of an enumeration or a ``Literal``."""
    info = msgspec.inspect.type_info(type_)
    if isinstance(info, msgspec.inspect.EnumType):
        return [str(member.value) for member in info.cls]
    if isinstance(info, msgspec.inspect.LiteralType):
        return [str(word) for word in info.values]
    return []


def _untyped(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error


def _malformed(error: Exception) -> Malformed:
    if isinstance(error, RecursionError):
        return Malformed("The body is nested too deeply.", code="malformed_json")
    if isinstance(error, UnicodeDecodeError):
        return Malformed("The body is not valid UTF-8.", code="malformed_json")
    return Malformed(f"The body is not valid JSON: {error}.", code="malformed_json")


def _nul_problems(value: Any, pointer: str) -> Iterator[FieldProblem]:
    if isinstance(value, str):
        if "\0" in value:
            yield FieldProblem(pointer, "control_character", "The character U+0000 is not accepted.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nul_problems(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nul_problems(key, pointer)
            yield from _nul_problems(item, f"{pointer}/{escaped(key)}")
