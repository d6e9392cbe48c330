"""Symbols and accounts as people write them: TOML tables, read into specifications.

Pure: text in, specifications out. Numbers of MT5's enumerations are written as their words, flags as lists of words.
Everything wrong is said with its table, its field, its value and what is allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import IntEnum, IntFlag
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from mas_router import mt5
from mas_router.errors import InvalidField
from sim_worker.charges import Commission, Tier
from sim_worker.specs import AccountSpec, SymbolSpec

#: The account that stands for all without a table of their own.
DEFAULT: Final = "default"
#: More than any market needs; a longer text is no market file.
MAX_CHARACTERS: Final = 4_000_000

Spec = TypeVar("Spec", SymbolSpec, AccountSpec, Commission, Tier)
Tables = Mapping[str, dict[str, Any]]
Words = type[IntEnum] | type[IntFlag]

#: Fields whose numbers have words. A flag is a list of words.
WORDS: Final[dict[str, Words]] = {
    "calc_mode": mt5.SymbolCalcMode,
    "trade_mode": mt5.SymbolTradeMode,
    "execution": mt5.SymbolExecution,
    "filling_mode": mt5.SymbolFilling,
    "expiration_mode": mt5.SymbolExpiration,
    "order_mode": mt5.SymbolOrder,
    "order_gtc_mode": mt5.SymbolGtcMode,
    "swap_mode": mt5.SymbolSwapMode,
    "swap_rollover3days": mt5.DayOfWeek,
}
ACCOUNT_WORDS: Final[dict[str, Words]] = {"trade_mode": mt5.AccountTradeMode}
_LIKE: Final = "like"


@dataclass(frozen=True, slots=True)
class MarketFile:
    """What a market file describes. `accounts` by login; "default" is every account without a table of its own."""

    symbols: Mapping[str, SymbolSpec]
    accounts: Mapping[str, AccountSpec]
    builtin: bool = True  # are the built-in symbols there, too?


def read_market(text: str, known: Mapping[str, SymbolSpec] | None = None) -> MarketFile:
    """Read a market file. `known` are symbols that `like` may name besides those of the file. Raises InvalidField."""
    if len(text) > MAX_CHARACTERS:
        raise InvalidField("market file", f"{len(text)} characters", f"at most {MAX_CHARACTERS}")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidField("market file", str(error), "a TOML text") from None
    _only(tables, "market file", ("builtin", "templates", "symbols", "accounts"))
    templates, symbols, accounts = (_section(tables, name) for name in ("templates", "symbols", "accounts"))
    earlier = {name: written(spec) for name, spec in (known or {}).items()}
    builtin = tables.get("builtin", True)
    if not isinstance(builtin, bool):
        raise InvalidField("builtin", builtin, "true or false")
    return MarketFile(
        {name: _symbol(name, symbols, templates | symbols, earlier) for name in symbols},
        {name: _account(name, accounts) for name in accounts},
        builtin,
    )


def written(spec: SymbolSpec) -> dict[str, Any]:
    """A specification as a table that says everything."""
    table = {item.name: getattr(spec, item.name) for item in _given(SymbolSpec)}
    table["path"] = spec.path.rpartition("\\")[0]
    del table["name"]
    return table


def adapted(spec: SymbolSpec, name: str, changes: Mapping[str, Any]) -> SymbolSpec:
    """A symbol of another name that is like this one, but for the changes, which are written as in a market file."""
    return _symbol(name, {name: {_LIKE: spec.name, **changes}}, {}, {spec.name: written(spec)})


def account_with(settings: Mapping[str, Any]) -> AccountSpec:
    """An account with these settings, which are written as in a market file, and defaults for the rest."""
    name = str(settings.get("login", DEFAULT))
    return _account(name, {name: dict(settings)})


def _section(tables: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    section = tables.get(name, {})
    if not isinstance(section, dict) or not all(isinstance(table, dict) for table in section.values()):
        raise InvalidField(name, section, f"tables such as [{name}.NAME]")
    return section


def _symbol(name: str, symbols: Tables, here: Tables, earlier: Tables) -> SymbolSpec:
    place = f"symbols.{name}"
    table = _inherited(place, symbols[name], here, earlier)
    table["path"] = f"{table.get('path', '')}\\{name}".lstrip("\\")
    return _build(SymbolSpec, place, table | {"name": name}, WORDS)


def _account(name: str, accounts: Tables) -> AccountSpec:
    place = f"accounts.{name}"
    table = _inherited(place, accounts[name], accounts, {})
    return _build(AccountSpec, place, {"login": name} | table, ACCOUNT_WORDS)


def _inherited(place: str, table: dict[str, Any], here: Tables, earlier: Tables) -> dict[str, Any]:
    """The table with everything that it, and what it is like, takes over from another.

    A name means a table of this file; a table that is like its own name is like the earlier symbol of that name.
    """
    chain = [table]
    while (name := chain[-1].get(_LIKE)) is not None:
        known = [part[name] for part in (here, earlier) if isinstance(name, str) and name in part]
        other = next((each for each in known if all(each is not seen for seen in chain)), None)
        if other is None:
            raise InvalidField(f"{place}.{_LIKE}", name, "another table: " + ", ".join(sorted({*here, *earlier})[:40]))
        chain.append(other)
    merged: dict[str, Any] = {}
    for part in reversed(chain):
        merged |= part
    merged.pop(_LIKE, None)
    return merged


# ---- a table becomes a record ----------------------------------------------------------------------------------------


def _given(kind: type[Spec]) -> Iterator[Field[Any]]:
    return (item for item in fields(kind) if item.init)


def _build(kind: type[Spec], place: str, table: dict[str, Any], words: Mapping[str, Words]) -> Spec:
    names = {item.name: item for item in _given(kind)}
    _only(table, place, tuple(names))
    hints = get_type_hints(kind)
    values = {name: _value(f"{place}.{name}", value, hints[name], words.get(name)) for name, value in table.items()}
    missing = [name for name, item in names.items() if _is_needed(item) and name not in values]
    if missing:
        raise InvalidField(place, "", f"a table with {', '.join(missing)}")
    try:
        return kind(**values)
    except InvalidField as error:
        raise InvalidField(f"{place}.{error.field}", error.value, error.allowed) from None


def _is_needed(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _only(table: Mapping[str, Any], place: str, allowed: tuple[str, ...]) -> None:
    for name in table:
        if name not in allowed:
            raise InvalidField(place, name, "one of " + ", ".join(sorted(allowed)))


def _value(place: str, value: Any, hint: Any, words: Words | None) -> Any:
    if words is not None:
        return _number(place, value, words)
    if get_origin(hint) is Literal:
        return _one_of(place, value, get_args(hint))
    if get_origin(hint) is tuple:
        return _several(place, value, get_args(hint)[0])
    if hint is Commission:
        return _build(Commission, place, _table(place, value), {})
    if hint is Tier:
        return _build(Tier, place, _table(place, value), {})
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and type(value) is not hint:
        raise InvalidField(place, value, _EXPECTED[hint])
    return value


_EXPECTED: Final[dict[type, str]] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _one_of(place: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise InvalidField(place, value, "one of " + ", ".join(str(each) for each in allowed))
    return value


def _several(place: str, value: Any, hint: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidField(place, value, "a list")
    return tuple(_value(f"{place}[{at}]", item, hint, None) for at, item in enumerate(value))


def _table(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidField(place, value, "a table")
    return value


def _number(place: str, value: Any, words: Words) -> int:
    """A word, or for flags a list of words, as MT5's number. MT5's number may be given as it is."""
    if isinstance(value, int) and not isinstance(value, bool) and _has_number(words, value):
        return value
    names = value if issubclass(words, IntFlag) and isinstance(value, list) else [value]
    known = {str(member.name).lower(): int(member) for member in words}
    for name in names:
        if not isinstance(name, str) or name.lower() not in known:
            raise InvalidField(place, name, "one of " + ", ".join(known))
    return sum({known[name.lower()] for name in names})


def _has_number(words: Words, value: int) -> bool:
    numbers = {int(member) for member in words}
    return value in range(sum(numbers) + 1) if issubclass(words, IntFlag) else value in numbers


def worded(words: Words, value: int) -> str | list[str]:
    """The opposite: what stands for MT5's number in a market file."""
    if issubclass(words, IntFlag):
        return [str(member.name).lower() for member in words if value & member]
    return str(words(value).name).lower()
