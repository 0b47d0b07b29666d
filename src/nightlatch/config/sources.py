"""Where settings come from, and which line to name when one is wrong."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Meta
from msgspec.structs import FieldInfo

ENVIRONMENT_PREFIX = "NIGHTLATCH_"
FILE_NAME = "nightlatch.toml"
SYSTEM_FILE = Path("/etc/nightlatch") / FILE_NAME

# The key itself in a file that is read by people and copied into tickets would be no secret.
NOT_IN_FILES = {"key": "key_file", "mail.password": "mail.password_file"}

GATEWAYS = "sms.gateways."
"""Below it names are the operator's own: ``sms.gateways.NAME.OPTION``."""

_GATEWAY_VARIABLE = re.compile(rf"{ENVIRONMENT_PREFIX}SMS__(.+?)__(.+)")

T = TypeVar("T", bound=msgspec.Struct)


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where it stands, what it is, how to mend it."""

    where: str
    message: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f" (did you mean {self.nearest}?)" if self.nearest else ""
        return f"{self.where}: {self.message}{hint}"


class ConfigError(Exception):
    """The settings cannot be used; ``problems`` holds everything that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Value(msgspec.Struct, frozen=True):
    """What was given, where, and the directory that its relative paths start from."""

    raw: Any
    where: str
    base: Path

    def __repr__(self) -> str:
        """Without what was given, which may be a key."""
        return f"Value({self.where!r})"


class Sources:
    """Given values by dotted name; the last one given wins. ``gateways`` holds options by gateway, in order."""

    def __init__(self, known: Mapping[str, FieldInfo]) -> None:
        self.problems: list[Problem] = []
        self.gateways: dict[str, dict[str, Value]] = {}
        self._known = known
        self._given: dict[str, Value] = {}

    def give(self, name: str, value: Value) -> None:
        """Take a value, or note that there is no such setting."""
        if name.startswith(GATEWAYS):
            gateway, _, option = name.removeprefix(GATEWAYS).partition(".")
            self.gateways.setdefault(gateway, {})[option] = value
        elif name in self._known:
            self._given[name] = value
        else:
            self.unknown(name, value.where, nearest(name, self._known))

    def unknown(self, shown: str, where: str, near: str | None) -> None:
        """Note an unknown setting."""
        self.problems.append(Problem(where, f"unknown setting {shown}", near))

    def where(self, name: str) -> str:
        """Where the value in force was given."""
        value = self._given.get(name)
        return value.where if value else "default"

    def base_of(self, name: str) -> Path:
        """The directory that relative paths in this value start from."""
        value = self._given.get(name)
        return value.base if value else Path.cwd()

    def convert(self, type_: type[T]) -> T:
        """All values, typed; one that does not fit is noted and its default taken."""
        top: dict[str, Any] = {}
        for name, value in self._given.items():
            field = self._known[name]
            try:
                made = typed(value.raw, field)
            except msgspec.ValidationError as error:
                self.problems.append(Problem(value.where, complaint(name, field, error)))
                continue
            section, _, part = name.rpartition(".")
            (top.setdefault(section, {}) if section else top)[part] = made
        return msgspec.convert(top, type_)


def typed(raw: Any, field: FieldInfo) -> Any:
    """A given value as its setting wants it; text may stand for any type. Raises ``msgspec.ValidationError``."""
    raw = _split(raw) if "tuple" in str(field.type) else raw
    return msgspec.convert(raw, field.type, strict=not isinstance(raw, str))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def description_of(field: FieldInfo) -> str:
    """What a setting expects, in words."""
    for meta in getattr(field.type, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.description:
            return meta.description
    return ""


def find_file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one named, else the first that exists in the usual places."""
    named = given or (Path(text) if (text := environ.get(ENVIRONMENT_PREFIX + "CONFIG")) else None)
    if named is not None:
        return named.absolute()
    return next((path for path in (Path.cwd() / FILE_NAME, SYSTEM_FILE) if path.is_file()), None)


def read_file(sources: Sources, path: Path) -> None:
    """Take what a TOML file says. Raises ``ConfigError`` when it cannot be read at all."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(path, str(error))]) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(str(path), "is not UTF-8")]) from None
    for name, raw in _flat(document):
        where = f"{path.name}:{line_of(text, name)}"
        if name in NOT_IN_FILES:
            message = f"{name} is taken from the environment only"
            sources.problems.append(Problem(where, message, NOT_IN_FILES[name]))
        else:
            sources.give(name, Value(raw, where, path.parent))


def read_environment(sources: Sources, environ: Mapping[str, str]) -> None:
    """Take every ``NIGHTLATCH_…`` variable; lists are separated by commas."""
    names = {environment_name(name): name for name in sources._known}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == ENVIRONMENT_PREFIX + "CONFIG":
            continue
        if found := _GATEWAY_VARIABLE.fullmatch(variable):
            name = f"{GATEWAYS}{found[1].lower()}.{found[2].lower()}"
            sources.give(name, Value(text, variable, Path.cwd()))
        elif variable in names:
            sources.give(names[variable], Value(text, variable, Path.cwd()))
        else:
            sources.unknown(variable, "environment", nearest(variable, names))


def environment_name(name: str) -> str:
    """The variable of a setting: ``brand.name`` is ``NIGHTLATCH_BRAND_NAME``."""
    return ENVIRONMENT_PREFIX + name.replace(".", "_").upper()


def line_of(text: str, name: str) -> int:
    """The line of a TOML document that gives this setting; 1 where it is written too cleverly."""
    section = name.rpartition(".")[0]
    current, fallback = "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]", line):
            current = header[1].replace('"', "").replace(" ", "")
            if current == name:
                return number
        elif assigned := re.match(r"""\s*([\w."'-]+(?:\s*\.\s*[\w"'-]+)*)\s*=""", line):
            written = re.sub(r"""["'\s]""", "", assigned[1])
            full = f"{current}.{written}" if current else written
            if full == name:
                return number
            if full == section:
                fallback = number
    return fallback


def _flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in document.items():
        if isinstance(value, dict) and not _is_option(prefix + key):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((prefix + key, value))
    return pairs


def _is_option(name: str) -> bool:
    """Whether this is an option of a gateway, whatever it holds."""
    return name.startswith(GATEWAYS) and "." in name.removeprefix(GATEWAYS)


def _split(raw: Any) -> Any:
    return [part.strip() for part in raw.split(",") if part.strip()] if isinstance(raw, str) else raw


def complaint(name: str, field: FieldInfo, error: msgspec.ValidationError) -> str:
    """What is wrong with a value, without the value."""
    expected = description_of(field)
    reason = str(error).split(" - at ")[0]
    return f"{name} must be {expected} ({reason[:1].lower()}{reason[1:]})"


def _syntax_problem(path: Path, message: str) -> Problem:
    place = re.search(r"\(at line (\d+), column (\d+)\)", message)
    if place is None:
        return Problem(path.name, message)
    reason = message[: place.start()].strip()
    return Problem(f"{path.name}:{place[1]}:{place[2]}", f"{reason[:1].lower()}{reason[1:]}")
