"""The symbols of a simulated trade server: the built-in ones, and those of a market file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from mas_router.errors import CallerError, InvalidField
from sim_worker.market_file import DEFAULT, MarketFile, read_market
from sim_worker.specs import MAX_NAME, AccountSpec, SymbolSpec, split_suffix

_SYMBOLS_FILE: Final = "symbols.toml"


class Symbols(Mapping[str, SymbolSpec]):
    """Specifications by name. `find` also knows names with a suffix of the broker."""

    def __init__(self, specs: Mapping[str, SymbolSpec]) -> None:
        self._specs = dict(specs)
        self.find = lru_cache(maxsize=1024)(self._find)

    def __getitem__(self, name: str) -> SymbolSpec:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def _find(self, name: str) -> SymbolSpec | None:
        base, suffix = split_suffix(name)
        exact = self._specs.get(name)
        known = self._specs.get(base)
        if exact is not None or known is None or not suffix:
            return exact
        return replace(known, name=name, path=known.path + suffix) if len(name) <= MAX_NAME else None


#: The built-in symbols by name.
SYMBOLS: Final = Symbols(read_market(files("sim_worker").joinpath(_SYMBOLS_FILE).read_text("utf-8")).symbols)
#: The specification of a built-in symbol, with or without a broker's suffix. None if there is no such symbol.
find_symbol: Final = SYMBOLS.find


class ServerSettings:
    """What simulated trade servers offer: symbols, and the settings of accounts."""

    def __init__(self, market: MarketFile | None = None) -> None:
        given = market or MarketFile({}, {})
        self.symbols = Symbols({**(SYMBOLS if given.builtin else {}), **given.symbols})
        self._accounts = given.accounts

    @property
    def accounts(self) -> int:
        """How many accounts have settings of their own."""
        return len(self._accounts)

    def account(self, login: str, server: str, **asked: object) -> AccountSpec:
        """The settings of an account: those of its table, else of "default"; what a client asks for comes first."""
        known = self._accounts.get(login) or self._accounts.get(DEFAULT) or AccountSpec()
        changes: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        if changes.get("currency", known.currency) != known.currency:
            changes.setdefault("currency_digits", -1)  # those of the other currency
        return replace(known, login=login or "simulated", server=server or known.server, **changes)


def read_server(path: Path | None) -> ServerSettings:
    """The trade server of a market file; without a file, the built-in one. Raises CallerError."""
    if path is None:
        return ServerSettings()
    try:
        return ServerSettings(read_market(path.read_text("utf-8"), SYMBOLS))
    except (OSError, UnicodeDecodeError, InvalidField) as error:
        raise CallerError(f"market file {path}: {getattr(error, 'strerror', None) or error}") from None
