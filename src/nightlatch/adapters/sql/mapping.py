"""Records to rows and back, by the types of their fields.

Strings, integers, truth values and bytes are columns as they are; an enumeration is its value; everything
else is JSON text. So a record needs no code of its own here, and both databases hold the same.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Text
from sqlalchemy.types import TypeEngine

from nightlatch.domain.errors import Invalid
from nightlatch.domain.records import Record

R = TypeVar("R", bound=Record)
Convert = Callable[[Any], Any]

# Bytes order and equality everywhere: SQLite's default, and what a cursor over ids needs.
TEXT: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
INTEGER: TypeEngine[int] = BigInteger()
BYTES: TypeEngine[bytes] = LargeBinary()
TRUTH: TypeEngine[bool] = Boolean()

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_encode_json = msgspec.json.Encoder().encode


class Shape(msgspec.Struct, frozen=True):
    """How one field is kept. ``write`` and ``read`` are None where the value passes as it is."""

    type: TypeEngine[Any]
    optional: bool
    write: Convert | None = None
    read: Convert | None = None


class Mapping(Generic[R]):
    """One record type and its columns, in the order of its fields."""

    def __init__(self, record: type[R]) -> None:
        hints = get_type_hints(record)
        self.record = record
        self.names = record.__struct_fields__
        self.shapes = tuple(shape_of(hints[name]) for name in self.names)
        self._texts = tuple(i for i, shape in enumerate(self.shapes) if shape.type is TEXT and shape.write is None)
        self._writes = tuple((i, shape.write) for i, shape in enumerate(self.shapes) if shape.write)
        self._reads = tuple((i, shape.read) for i, shape in enumerate(self.shapes) if shape.read)

    def columns(self) -> list[Column[Any]]:
        """New columns for a table."""
        pairs = zip(self.names, self.shapes, strict=True)
        return [Column(name, shape.type, nullable=shape.optional, autoincrement=False) for name, shape in pairs]

    def row(self, record: R) -> list[Any]:
        """The record as values of columns. Raises ``Invalid`` for text that no database keeps."""
        values = list(msgspec.structs.astuple(record))
        for i, write in self._writes:
            if values[i] is not None:
                values[i] = write(values[i])
        for i in self._texts:
            text = values[i]
            if text is not None and ("\0" in text or not text.isascii()):  # most need no call
                refuse_unkept(text)
        return values

    def of(self, row: Sequence[Any]) -> R:
        """The record that this row holds; its values in the order of the fields."""
        values = dict(zip(self.names, row, strict=True))
        for i, read in self._reads:
            if row[i] is not None:
                values[self.names[i]] = read(row[i])
        return self.record(**values)


def shape_of(annotation: Any) -> Shape:
    """How a field of this type is kept."""
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [choice for choice in get_args(annotation) if choice is not types.NoneType]
        optional = len(inner) < len(get_args(annotation))
        annotation = inner[0] if len(inner) == 1 else Union[tuple(inner)]  # noqa: UP007 (built at run time)
    if annotation is bool:
        return Shape(TRUTH, optional, read=bool)
    plain: dict[Any, TypeEngine[Any]] = {str: TEXT, int: INTEGER, bytes: BYTES}
    if annotation in plain:
        return Shape(plain[annotation], optional)
    if get_origin(annotation) is Literal:
        return Shape(TEXT, optional)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return Shape(TEXT, optional, write=_value, read={member.value: member for member in annotation}.__getitem__)
    return Shape(TEXT, optional, write=to_json, read=msgspec.json.Decoder(annotation).decode)


def refuse_unkept(text: str) -> None:
    """Refuse what PostgreSQL cannot keep, before it reaches any database: U+0000, half a surrogate pair."""
    if "\0" in text:
        raise Invalid("Text must not hold the character U+0000.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Invalid("Text must not hold half of a surrogate pair.") from None


def to_json(value: Any) -> str:
    """The value as JSON text. Raises ``Invalid`` for strings inside that no database keeps."""
    try:
        encoded = _encode_json(value)
    except UnicodeEncodeError:
        raise Invalid("Text must not hold half of a surrogate pair.") from None
    # Escaped it would pass as text, and break the first query that looks into the JSON.
    if b"\\u0000" in encoded and _ESCAPED_NUL.search(encoded):
        raise Invalid("Text must not hold the character U+0000.")
    return encoded.decode()


def _value(member: Enum) -> Any:
    return member.value
