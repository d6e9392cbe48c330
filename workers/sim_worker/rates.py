"""Conversion between currencies through the quotes that are there.

Pure. A route is the chain of symbols that leads from one currency to another: none, one, or two through USD. The traded
symbol itself converts at the price of the deal (MetaTrader 5 help, "Profit Calculation", conversion by deal).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mas_router.errors import MasError
from sim_worker.specs import FOREX_MODES, SymbolSpec, split_suffix

#: Time (UTC ns), bid and ask.
Quote = tuple[int, float, float]
#: Symbols to convert through; True when the pair is quoted the other way round.
Route = tuple[tuple[str, bool], ...]


class NoRate(MasError):
    """There are no quotes to convert one currency into another."""

    def __init__(self, source: str, target: str) -> None:
        self.source, self.target = source, target
        super().__init__(f"there are no quotes to convert {source} into {target}")


def find_route(spec: SymbolSpec, source: str, target: str, quotes: Mapping[str, Quote]) -> Route | None:
    """How to convert for a symbol: pairs with its suffix first, then none, then others in the order of their names.

    A direct pair is preferred to two legs through USD.
    """
    if source == target:
        return ()
    direct = _leg(spec, source, target, quotes)
    if direct is not None:
        return (direct,)
    first, second = _leg(spec, source, "USD", quotes), _leg(spec, "USD", target, quotes)
    return None if first is None or second is None else (first, second)


def _leg(spec: SymbolSpec, source: str, target: str, quotes: Mapping[str, Quote]) -> tuple[str, bool] | None:
    if (spec.currency_base, spec.currency_profit) == (source, target):
        return spec.name, False
    if (spec.currency_base, spec.currency_profit) == (target, source):
        return spec.name, True
    for suffix in dict.fromkeys((spec.suffix, "")):
        if source + target + suffix in quotes:
            return source + target + suffix, False
        if target + source + suffix in quotes:
            return target + source + suffix, True
    others = (
        (name, inverse)
        for inverse, pair in enumerate((source + target, target + source))
        for name in quotes
        if split_suffix(name)[0] == pair
    )
    name, turned = min(others, default=("", 0))
    return (name, bool(turned)) if name else None


def convert(route: Route, own: str, price: float, ask: bool, quotes: Mapping[str, Quote]) -> float:
    """The rate of a route on its ask or bid side. `price` is the deal's, for a leg that is the traded symbol `own`."""
    rate = 1.0
    for symbol, inverse in route:
        # The ask of the inverse pair is one over the bid of the pair that is quoted.
        leg = price if symbol == own else quotes[symbol][2 if ask is not inverse else 1]
        rate = rate / leg if inverse else rate * leg
    return rate


def by_market(spec: SymbolSpec) -> bool:
    """Is profit converted at the bid and loss at the ask? So outside Forex; there, the side of the deal decides."""
    return spec.conversion == "market" if spec.conversion else spec.calc_mode not in FOREX_MODES


def profit_rate(
    route: Route, spec: SymbolSpec, sell: int, amount: float, price: float, quotes: Mapping[str, Quote]
) -> float:
    """The rate at which a profit (or loss) `amount` of closing a position at `price` becomes the deposit currency."""
    if not route:
        return 1.0
    ask = amount < 0.0 if by_market(spec) else not sell
    return convert(route, spec.name, price, ask, quotes)


# ---- what must be quoted ---------------------------------------------------------------------------------------------


def conversion_symbols(spec: SymbolSpec, currency: str, find: Callable[[str], SymbolSpec | None]) -> tuple[str, ...]:
    """Which other symbols must be quoted so that this symbol's money converts to a deposit currency."""
    names: dict[str, None] = {}
    for source in spec.currencies:
        for name in _symbols_between(source, currency, spec, find):
            if name != spec.name:
                names[name] = None
    return tuple(names)


def _symbols_between(
    source: str, target: str, spec: SymbolSpec, find: Callable[[str], SymbolSpec | None]
) -> tuple[str, ...]:
    if source == target or {source, target} == {spec.currency_base, spec.currency_profit}:
        return ()  # nothing to convert, or the symbol is itself the pair
    direct = _symbol_of(source, target, spec, find)
    if direct:
        return direct
    return _symbol_of(source, "USD", spec, find) + _symbol_of("USD", target, spec, find)


def _symbol_of(source: str, target: str, spec: SymbolSpec, find: Callable[[str], SymbolSpec | None]) -> tuple[str, ...]:
    if source == target or {source, target} == {spec.currency_base, spec.currency_profit}:
        return ()
    suffix = spec.suffix
    names = (source + target + suffix, target + source + suffix, source + target, target + source)
    return next(((name,) for name in names if find(name) is not None), ())
