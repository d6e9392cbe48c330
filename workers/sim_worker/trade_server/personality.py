"""How a broker's trade server is set up: what differs from one broker to the next, in one place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from mas_router.errors import InvalidField
from sim_worker.market_file import account_with, adapted
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.trade_server.clocks import SECOND, Dst, ServerTime
from sim_worker.trade_server.script import Fault, Model, Seconds

DEFAULT: Final = "demo-hedging-market"


class Personality(Model):
    """A broker. Times in seconds, `utc_offset` in hours.

    - `symbol`: settings of all symbols that differ from the usual ones, and `account`: of all accounts, both written as
      in a market file.
    - `symbols`: the symbols that there are, without the suffix; all if it is empty.
    - `suffix`: what the broker adds to their names.
    - `extra_digits`: -1 for a broker that quotes without the last digit.
    - `spread`: the usual spread is multiplied by it.
    - `must_select`: Market Watch is empty at first; a symbol has to be selected before it is quoted.
    - `dst`: when the server's clock is an hour further ahead: the summer of Europe, of New York, or never.
    - `history_lag`, `position_lag`: how long a terminal does not see new deals, orders that are done, new positions.
    - `comment_limit`: characters that the server keeps; `comment`: what it makes of them ("{comment}": nothing else).
    - `gateway_delay`: market orders are answered with 10008 and dealt this much later; `gateway_ticket`: with a ticket.
    - `weekends`: there are quotes on Saturdays and Sundays, too.
    - `faults`: what goes wrong at this broker every day.
    """

    name: str = DEFAULT
    description: str = ""
    server: Annotated[str, Field(min_length=1, max_length=63)] = "MAS-Demo"
    company: str = "MAS Simulated Markets"
    symbol: dict[str, Any] = Field(default_factory=dict)
    account: dict[str, Any] = Field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    suffix: Annotated[str, Field(max_length=8)] = ""
    extra_digits: Literal[-1, 0] = 0
    spread: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0
    must_select: bool = False
    utc_offset: Annotated[float, Field(ge=-12.0, le=14.0)] = 2.0
    dst: Dst = "eu"
    weekends: bool = True
    history_lag: Seconds = 0.0
    position_lag: Seconds = 0.0
    comment_limit: Annotated[int, Field(ge=0, le=31)] = 31
    comment: str = "{comment}"
    gateway_delay: Seconds = 0.0
    gateway_ticket: bool = True
    faults: tuple[Fault, ...] = ()

    @property
    def time(self) -> ServerTime:
        return ServerTime(round(self.utc_offset * 3600) * SECOND, self.dst)

    def written(self, comment: str) -> str:
        """What the server makes of a comment."""
        return self.comment.replace("{comment}", comment)[: self.comment_limit]

    def account_spec(self, login: int, settings: Mapping[str, Any]) -> AccountSpec:
        """An account at this broker, with settings of its own, written as in a market file."""
        own = {"server": self.server, "company": self.company, "login": login}
        return account_with({**own, **self.account, **settings})

    def specs(self, known: Mapping[str, SymbolSpec]) -> dict[str, SymbolSpec]:
        """All symbols of the broker under their names there. `symbols` narrows what is listed, see `listed`."""
        return {name + self.suffix: self._spec(spec) for name, spec in known.items()}

    def listed(self, known: Mapping[str, SymbolSpec]) -> tuple[str, ...]:
        """The names of the symbols that a terminal is shown."""
        unknown = [name for name in self.symbols if name not in known]
        if unknown:
            raise InvalidField("symbols", unknown[0], f"one of {', '.join(known)}")
        return tuple(name + self.suffix for name in self.symbols or known)

    def _spec(self, spec: SymbolSpec) -> SymbolSpec:
        digits = max(0, spec.digits + self.extra_digits)
        spread = max(1, round(spec.spread_points * self.spread * 10.0 ** (digits - spec.digits)))
        grid = {} if digits == spec.digits else {"digits": digits, "tick_size": 0.0, "tick_value": 0.0}
        return adapted(spec, spec.name + self.suffix, {"spread_points": spread, **grid, **self.symbol})


@lru_cache(maxsize=1)
def built_in() -> dict[str, Personality]:
    """The brokers that come along, by name."""
    text = files("sim_worker.trade_server").joinpath("personalities.toml").read_text(encoding="utf-8")
    return {name: _named(name, table) for name, table in tomllib.loads(text).items()}


def _named(name: str, table: dict[str, Any]) -> Personality:
    found: Personality = Personality.of({"name": name, **table})
    return found


def find(name: str) -> Personality:
    """A built-in personality, or one of a TOML file whose top level has its fields. Raises InvalidField, OSError."""
    known = built_in()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix != ".toml":
        raise InvalidField("personality", name, f"a file that ends in .toml, or one of {', '.join(known)}")
    try:
        return _named(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InvalidField("personality", name, f"a TOML file ({error})") from None
