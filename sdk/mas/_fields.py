"""One small validator: a dataclass is the table of the fields that a dictionary may have.

Pure. Each field is `Annotated[type, kind]`, or `Annotated[type, kind, "key"]` when its key in the dictionary is another
one. A field without a default is required. Whatever a caller passes ends in a value of the dataclass or a CallerError.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any, Final, SupportsFloat, SupportsIndex, TypeVar, get_type_hints

from mas_router.errors import CallerError, InvalidField, shown
from mas_router.request import utf16_length

T = TypeVar("T")
INT64: Final = 2**63 - 1
SECOND: Final = 1_000_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Reader = Callable[[object], object]
_TEXTS: Final = 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field takes: words for people, and a reader that raises any exception for what it does not take.

    None means "not given", except where leaving the field out changes what happens to a position. The value of a
    secret is in no message.
    """

    allowed: str
    read: Reader
    none_is_absent: bool = True
    secret: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    kind: Kind
    required: bool


def parse(build: Callable[..., T], params: object, *, only: Collection[str] | None = None, **preset: object) -> T:
    """The dataclass `build` from a dictionary. `only` narrows the keys; `preset` are attributes that are not for users.

    Raises InvalidField for a value, CallerError for an unknown or missing field and for what is no dictionary.
    """
    if not isinstance(params, dict):
        raise CallerError(f"params must be a dict, not {type(params).__name__}")
    readers, required = _table(build)
    values = preset
    for key, value in params.items():
        found = readers.get(key) if isinstance(key, str) and (only is None or key in only) else None
        if found is None:
            raise _unknown(key, [name for name in readers if only is None or name in only])
        name, read, none_is_absent = found
        if value is not None or not none_is_absent:
            try:
                values[name] = read(value)
            except Exception:  # a stranger's __float__, __index__ or tzinfo may raise anything
                raise _wrong(key, value, _rules(build)[key].kind) from None
    if not values.keys() >= required:
        _check_complete(build, values, only)
    return build(**values)


def agreed(first: tuple[str, T | None], second: tuple[str, T | None]) -> T | None:
    """The value of a field that has two names; InvalidField when both are given and differ."""
    (name, value), (other_name, other) = first, second
    if value is not None and other is not None and value != other:
        raise InvalidField(other_name, other, f"the same as {name}, or only one of the two")
    return other if value is None else value


@cache
def _rules(build: Callable[..., object]) -> dict[str, _Rule]:
    hints: dict[str, Any] = get_type_hints(build, include_extras=True)
    rules: dict[str, _Rule] = {}
    for item in fields(build):  # type: ignore[arg-type]  # a dataclass, called through its constructor's type
        kind, *key = getattr(hints[item.name], "__metadata__", (None,))
        if isinstance(kind, Kind):
            rules[key[0] if key else item.name] = _Rule(item.name, kind, item.default is MISSING)
    return rules


@cache
def _table(build: Callable[..., object]) -> tuple[dict[str, tuple[str, Reader, bool]], frozenset[str]]:
    """For each key its attribute, its reader and whether None is absent; and the attributes that are required."""
    rules = _rules(build)
    readers = {key: (rule.name, rule.kind.read, rule.kind.none_is_absent) for key, rule in rules.items()}
    return readers, frozenset(rule.name for rule in rules.values() if rule.required)


def _wrong(key: str, value: object, kind: Kind) -> InvalidField:
    return InvalidField(key, "(hidden)" if kind.secret else value, kind.allowed)


def _check_complete(build: Callable[..., object], values: Mapping[str, object], only: Collection[str] | None) -> None:
    lacking = [key for key, rule in _rules(build).items() if rule.required and rule.name not in values]
    missing = [f"'{key}'" for key in lacking if only is None or key in only]
    if missing:
        raise CallerError(f"missing {'field' if len(missing) == 1 else 'fields'} {', '.join(missing)}")


def _unknown(key: object, known: Iterable[str]) -> CallerError:
    close = difflib.get_close_matches(key[:40].lower(), list(known), n=1) if isinstance(key, str) else []
    return CallerError(f"unknown field {shown(key)}" + (f"; did you mean '{close[0]}'?" if close else ""))


# ---- kinds ---------------------------------------------------------------------------------------------------------


def number(least: float, most: float) -> Kind:
    """A finite float. Ints and numpy's scalars are taken, a bool is not."""

    def read(value: object) -> float:
        if type(value) is float and least <= value <= most:  # the usual case; no infinity is between finite limits
            return value
        if _is_bool(value) or not isinstance(value, SupportsFloat | SupportsIndex):
            raise TypeError
        return _within(float(value), least, most)

    return Kind(f"a number from {least:g} to {most:g}", read)


def whole(least: int, most: int) -> Kind:
    """An int. Anything that says it is one (`__index__`) is taken, a bool and a float are not."""
    return Kind(f"a whole number from {least} to {most}", lambda value: _within(_integer(value), least, most))


def ticket(of: str = "ticket", *, none_is_absent: bool = False) -> Kind:
    """The number of an order (`of` "ticket") or a "position": an int, its digits, or what `send_order` returned.

    None is refused in orders: a strategy that lost its ticket would else open a position instead of closing one.
    """

    def read(value: object) -> int:
        if isinstance(value, str):
            value = getattr(value, of, 0) or getattr(value, "ticket", 0) or _digits(value)
        if type(value) is int and 0 < value <= INT64:  # the usual case
            return value
        return _within(_integer(value), 1, INT64)

    allowed = "a ticket: a whole number above 0, its digits, or the id of an accepted order; else leave the field out"
    return Kind(allowed, read, none_is_absent)


def text(most: int, least: int = 1) -> Kind:
    """Printable characters without a space at either end; lengths in UTF-16 units."""

    @lru_cache(_TEXTS)
    def checked(plain: str) -> str:
        if plain != plain.strip() or not plain.isprintable():
            raise ValueError
        _within(utf16_length(plain), least, most)
        return plain

    def read(value: object) -> str:
        return checked(value if type(value) is str else _plain(value))

    return Kind(f"a text of {least} to {most} printable characters, without a space at its ends", read)


def identifier(marks: str = "_.:~-") -> Kind:
    """An id that may travel in messages: letters, digits and these marks."""
    pattern = re.compile(rf"[A-Za-z0-9{re.escape(marks)}]{{1,64}}")

    def read(value: object) -> str:
        plain = _plain(value)
        if not pattern.fullmatch(plain):
            raise ValueError
        return plain

    return Kind(f"1 to 64 letters, digits or any of {' '.join(marks)}", read)


def login() -> Kind:
    """An account: its number, or a text."""
    words = text(64)

    def read(value: object) -> object:
        return words.read(value) if isinstance(value, str) else str(_within(_integer(value), 1, INT64))

    return Kind("an account number, as an int or a str", read)


def password() -> Kind:
    """A secret text of any characters."""

    def read(value: object) -> str:
        plain = _plain(value)
        _within(len(plain), 1, 256)
        return plain

    return Kind("a text of 1 to 256 characters", read, secret=True)


def address() -> Kind:
    """URLs of message brokers, which may hold a password; what is in them is checked where they are used."""
    return Kind("a text such as amqp://user:password@host:5672/vhost", _plain, secret=True)


def flag() -> Kind:
    """True or False, nothing that only counts as such."""

    def read(value: object) -> bool:
        if value is not True and value is not False and not _is_bool(value):
            raise TypeError
        return bool(value)

    return Kind("True or False", read)


def choice(names: Mapping[str, T]) -> Kind:
    """One of these words, in any case; where they stand for constants, also the constant."""
    by_name = {name.lower(): value for name, value in names.items()}
    constants = {value for value in names.values() if isinstance(value, IntEnum)}

    def read(value: object) -> object:
        if type(value) is str and value in by_name:  # the usual case
            return by_name[value]
        if isinstance(value, IntEnum) and any(value is constant for constant in constants):
            return value
        return by_name[_plain(value).lower()]

    return Kind(f"one of {', '.join(names)}", read)


def several(one: Kind, most: int) -> Kind:
    """One, or a list of different ones."""

    def read(value: object) -> object:
        items = value if isinstance(value, list | tuple) else [value]
        found = tuple(one.read(item) for item in items)
        _within(len(found), 1, most)
        if len(set(found)) < len(found):
            raise ValueError
        return found

    return Kind(f"{one.allowed}, or a list of up to {most} different ones", read)


def constant(enumeration: type[IntEnum]) -> Kind:
    """A member of an enumeration, or its number."""
    allowed = ", ".join(f"{member.value} ({member.name})" for member in enumeration)
    return Kind(f"one of {allowed}", lambda value: enumeration(_integer(value)))


def moment() -> Kind:
    """A time as nanoseconds since 1970 in UTC. A time without a zone is UTC; a day is its beginning."""

    def read(value: object) -> int:
        if isinstance(value, date):
            return _within(_nanoseconds(value), 0, INT64)
        if isinstance(value, str):
            return _within(_nanoseconds(_parsed(value)), 0, INT64)
        return _within(_integer(value) * SECOND, 0, INT64)

    words = "a datetime (without a zone: UTC), a date, 'YYYY-MM-DD[ HH:MM:SS]' or seconds since 1970, up to 2262"
    return Kind(words, read)


def _nanoseconds(value: date) -> int:
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - EPOCH) // timedelta(microseconds=1) * 1000


def as_datetime(nanoseconds: int) -> datetime:
    """The aware UTC datetime of nanoseconds since 1970; what is less than a microsecond is cut off."""
    return EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _parsed(value: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?", value, re.ASCII):
        raise ValueError
    return datetime.fromisoformat(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}  # numpy's, under either of its names


def _integer(value: object) -> int:
    if type(value) is int:
        return value
    if _is_bool(value) or not isinstance(value, SupportsIndex):
        raise TypeError
    return int(value.__index__())


def _digits(value: str) -> int:
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII):
        raise ValueError
    return int(value)


def _plain(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return str.__str__(value)


Number = TypeVar("Number", int, float)


def _within(value: Number, least: Number, most: Number) -> Number:
    if not (least <= value <= most and math.isfinite(value)):
        raise ValueError
    return value
