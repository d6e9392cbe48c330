"""Numbered cases of execution: a script of quotes and calls, and everything that a client must hear and find.

A case says nothing about where it is played: `Stage` plays it, on a replay today. It is written against the SDK only.

`quotes` are bid/ask, one second apart; `+90s`, `+5m`, `+3h` or `+1d` puts the next one that much later. `do` are the
calls at a quote, by its number. `contract` and `account` are settings of its symbol and account, as a market file has
them. `hear` is every answer (after `>`) and every callback, in order, each with the number
of the newest quote at its time. `end` is what the records show after the last quote; a kind that is not named there is
not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any, Protocol

from mas import mt5

Data = dict[str, Any]
MONDAY = datetime(2018, 1, 1, tzinfo=UTC)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri")
LATER = re.compile(r"\+(\d+)([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Act:
    """One call of the SDK. A field that names an order of the case stands for what `send_order` returned for it."""

    method: str
    name: str
    params: Data


def send(name: str, order_type: str, volume: float, price: float = 0.0, **fields: object) -> Act:
    given = {"order_type": order_type, "volume": volume, **({"price": price} if price else {}), **fields}
    return Act("send_order", name, given)


def close_by(name: str, position: str | int, position_by: str | int) -> Act:
    return Act("send_order", name, {"position": position, "position_by": position_by})


def modify(order: str | int, **fields: object) -> Act:
    return Act("modify_order", str(order), {"order_id": order, **fields})


def cancel(order: str | int) -> Act:
    return Act("cancel_order", str(order), {"order_id": order})


def sltp(position: str | int, **fields: object) -> Act:
    return Act("modify_position_sltp", str(position), {"position_id": position, **fields})


@dataclass(frozen=True)
class Quote:
    time: datetime
    bid: float
    ask: float


@dataclass(frozen=True)
class Case:
    """What is played and what must come of it. `section` and `source` are of MT5's rule, as in the fidelity marker."""

    number: str
    rule: str
    quotes: str
    hear: str
    do: Mapping[int, list[Act]] = field(default_factory=dict)
    end: str = ""
    section: str = ""
    source: str = ""
    setting: str = ""
    symbol: str = "EURUSD"
    digits: int = 5
    start: str = "Wed 12:00:00"
    beside: Mapping[str, str] = field(default_factory=dict)  # quotes of the symbols that convert its money
    also: Mapping[str, str] = field(default_factory=dict)  # quotes of other symbols that it trades
    contract: str = ""
    account: str = ""

    def script(self, symbol: str = "") -> list[Quote]:
        """The quotes with their times: of the case's symbol, or of one beside it."""
        others = {**self.beside, **self.also}
        return _script(others[symbol] if symbol else self.quotes, self._start())

    def _start(self) -> datetime:
        day, clock = self.start.split()
        hours, minutes, seconds = map(int, clock.split(":"))
        return MONDAY + timedelta(days=DAYS.index(day), hours=hours, minutes=minutes, seconds=seconds)

    def name_of(self, symbol: str) -> str:
        """The case's own symbol of this kind."""
        return f"{symbol}.{self.number.replace('-', '')}"

    def price(self, value: float) -> str:
        """With the digits of the symbol, and more only where there are more."""
        whole, _, decimals = f"{value:.8f}".partition(".")
        return f"{whole}.{decimals.rstrip('0').ljust(self.digits, '0')}"


def _script(text: str, start: datetime) -> list[Quote]:
    quotes: list[Quote] = []
    moment, step = start, timedelta()
    for word in text.split():
        later = LATER.fullmatch(word)
        if later:
            step = timedelta(**{UNITS[later[2]]: int(later[1])})
            continue
        bid, _, ask = word.partition("/")
        moment, step = moment + step, timedelta(seconds=1)
        quotes.append(Quote(moment, float(bid), float(ask)))
    return quotes


CASES: dict[str, Case] = {}


def case(number: str, rule: str, **fields: Any) -> None:
    """Add a case. Numbers never change their meaning: a case that is dropped leaves a gap."""
    assert number not in CASES, f"{number} is taken"
    CASES[number] = Case(number, rule, **fields)


@dataclass
class Played:
    """What came of a case."""

    heard: list[str]
    records: dict[str, list[str]]


def market_file(cases: Iterable[Case]) -> str:
    """The settings of all cases: each has an account with its number, and symbols with its suffix."""
    parts = []
    for one in cases:
        if one.account:
            parts.append(f'[accounts."{one.number}"]\n{dedent(one.account)}\n')
        if one.contract:
            parts.append(f'[symbols."{one.name_of(one.symbol)}"]\nlike = "{one.symbol}"\n{dedent(one.contract)}\n')
    return "\n".join(parts)


class Stage(Protocol):
    """A place where a case can be played."""

    def play(self, case: Case) -> Played: ...


# ---- what was heard, in words --------------------------------------------------------------------------------------


def status_line(case: Case, name: str, data: Data) -> str:
    action = f"{data['action']} " if "action" in data else ""
    part = f" {data['filled_volume']:.2f} of {data['volume']:.2f}" if data["state"] == "PARTIALLY_FILLED" else ""
    return f"{name} {action}{data['state']} {data['retcode']}{part}"


def execution_line(case: Case, name: str, data: Data) -> str:
    words = [name, data["side"], data["entry"], f"{data['volume']:.2f}", f"@{case.price(data['price'])}"]
    if data["reason"] not in ("expert", "client"):
        words.append(data["reason"])
    if data["entry"] != "in":
        words.append(f"{data['profit']:+.2f}")
    words += [f"{what} {data[what]:+.2f}" for what in ("swap", "commission") if data[what]]
    return " ".join(words)


def position_line(case: Case, name: str, row: Data) -> str:
    side = ("buy", "sell")[row["type"]]
    words = ["position", name, side, f"{row['volume']:.2f}", f"@{case.price(row['price_open'])}"]
    words += [f"{what} {case.price(row[what])}" for what in ("sl", "tp") if row[what]]
    return " ".join(words)


def order_line(case: Case, name: str, row: Data) -> str:
    kind, volume = mt5.order_type_name(row["type"]), f"{row['volume_current']:.2f}"
    words = ["order", name, kind, volume, f"@{case.price(row['price_open'])}"]
    levels = {"stoplimit": row["price_stoplimit"], "sl": row["sl"], "tp": row["tp"]}
    words += [f"{what} {case.price(value)}" for what, value in levels.items() if value]
    return " ".join(words)


def history_line(case: Case, name: str, row: Data) -> str:
    kind = "close_by" if row["type"] == mt5.ORDER_TYPE_CLOSE_BY else mt5.order_type_name(row["type"])
    state = mt5.OrderState(row["state"]).name
    words = ["history", name, kind, state, f"@{case.price(row['price_open'])}"]
    words += ["current", case.price(row["price_current"])]
    words += [row["comment"]] if row["comment"].startswith("[") else []
    return " ".join(words)


def lines(text: str) -> list[str]:
    """The lines of an expectation, without what only makes it readable."""
    return [" ".join(line.split()) for line in re.split(r"[\n;]", text) if line.strip()]


def numbered(case: Case, heard: Iterable[tuple[datetime, str]]) -> list[str]:
    """Each line behind the number of the newest quote at its time."""
    times = [quote.time for quote in case.script()]
    return [f"{max(0, sum(time <= when for time in times) - 1)} {text}" for when, text in heard]
