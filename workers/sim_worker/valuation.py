"""What an account is worth: profit, margin, equity, at given quotes.

Pure, and reads only. The functions take the quotes as an argument, so that the horizon can ask about quotes that have
not come yet. Sources: MetaTrader 5 help, "Margin Calculation"; MQL5 docs, "Account Properties".
"""

from __future__ import annotations

from collections.abc import Mapping

from sim_worker import money
from sim_worker.book import Book, SymbolBook
from sim_worker.exposure import Exposure
from sim_worker.rates import NoRate as NoRate
from sim_worker.rates import Quote, by_market, convert, profit_rate
from sim_worker.records import Position
from sim_worker.specs import SymbolSpec, currency_digits

Quotes = Mapping[str, Quote]


# ---- profit ----------------------------------------------------------------------------------------------------------


def profit_of(book: Book, spec: SymbolSpec, sell: int, volume: float, opened: float, closed: float) -> float:
    """The profit of a deal from one price to another in the deposit currency, rounded. NoRate if it cannot convert."""
    amount = money.profit(spec, sell, volume, opened, closed)
    return book.money(converted(book, spec, sell, amount, closed, book.quotes))


def converted(book: Book, spec: SymbolSpec, sell: int, amount: float, closed: float, quotes: Quotes) -> float:
    """An amount of the profit currency in the deposit currency, not rounded."""
    route = book.route(spec, spec.currency_profit)
    return amount * profit_rate(route, spec, sell, amount, closed, quotes)


def closing_price(position: Position, quote: Quote) -> float:
    """A long position is sold at the bid, a short one bought back at the ask."""
    return quote[2] if position.type else quote[1]


def floating(book: Book, position: Position) -> float:
    """The profit of an open position at the last quote, without swap."""
    price = closing_price(position, book.quotes[position.symbol])
    spec = book.symbols[position.symbol].spec
    return profit_of(book, spec, position.type, position.volume, position.price_open, price)


def floating_floor(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    """Not more than the profit of a symbol's positions: from sums, so the cost does not grow with their number.

    Each position's amount is rounded (twice in the Forex modes, and once more after the conversion); the sum is not, so
    what rounding could take is subtracted.
    """
    spec = side.spec
    if by_market(spec) and spec.currency_profit != book.account.currency:
        return _floating_one_by_one(book, side, quotes)  # profits and losses convert at different rates
    _, bid, ask = quotes[spec.name]
    count, unit = len(side.positions), 10.0**-book.account.currency_digits
    leg = 10.0 ** -currency_digits(spec.currency_profit)
    total = -(count + 2) * unit
    for sell, price in ((0, bid), (1, ask)):
        lots, average = side.exposure.side(sell)
        if lots:
            route = book.route(spec, spec.currency_profit)
            amount = (average - price if sell else price - average) * lots * spec.lot_value
            total += (amount - count * leg) * profit_rate(route, spec, sell, amount, price, quotes)
    return total


def _floating_one_by_one(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    quote, total = quotes[side.spec.name], 0.0
    for position in side.positions.values():
        price = closing_price(position, quote)
        amount = money.profit(side.spec, position.type, position.volume, position.price_open, price)
        total += book.money(converted(book, side.spec, position.type, amount, price, quotes))
    return total


# ---- margin ----------------------------------------------------------------------------------------------------------


def margin_of(book: Book, spec: SymbolSpec, sell: int, volume: float, price: float) -> float:
    """The margin of one order by itself in the deposit currency, rounded. NoRate if it cannot convert."""
    amount = money.margin(spec, book.account.leverage, volume, price)
    return book.money(amount * _margin_rate(book, spec, sell, price, book.quotes) * _type_rate(spec, sell))


def _margin_rate(book: Book, spec: SymbolSpec, sell: int, price: float, quotes: Quotes) -> float:
    """The ask of margin -> deposit currency for buys, the bid for sells; the price if the symbol is the pair."""
    route = book.route(spec, spec.currency_margin)
    return convert(route, spec.name, price, not sell, quotes) if route else 1.0


def _type_rate(spec: SymbolSpec, sell: int) -> float:
    return spec.margin_rate_sell if sell else spec.margin_rate_buy


def held_margin(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    """The margin of a symbol's positions."""
    if side.margin is not None:
        return side.margin
    margin = exposure_margin(book, side.spec, side.exposure, quotes)
    if all(name == side.spec.name for name, _ in book.route(side.spec, side.spec.currency_margin)):
        side.margin = margin
    return margin


def exposure_margin(book: Book, spec: SymbolSpec, held: Exposure, quotes: Quotes, *, ordering: bool = False) -> float:
    """The margin of positions of a symbol, whether they are there or not. `ordering`: a part is still an order.

    Hedging accounts: the uncovered volume at the average price of the larger side, the covered one with the contract
    size `margin_hedged` at the average of all; or the larger side alone. Each part is rounded.
    """
    if not held.long and not held.short:
        return 0.0
    if spec.margin_hedged_use_leg:
        return max(_side_margin(book, spec, sell, *held.side(sell), quotes, ordering) for sell in (0, 1))
    total = _side_margin(book, spec, *held.uncovered(), quotes, ordering)
    if held.long and held.short:
        total += _covered_margin(book, spec, held, quotes)
    return total


def _side_margin(
    book: Book, spec: SymbolSpec, sell: int, lots: float, price: float, quotes: Quotes, ordering: bool
) -> float:
    if not lots:
        return 0.0
    amount = money.margin(spec, book.account.leverage, lots, price, held=not ordering)
    return book.money(amount * _margin_rate(book, spec, sell, price, quotes) * _type_rate(spec, sell))


def _covered_margin(book: Book, spec: SymbolSpec, held: Exposure, quotes: Quotes) -> float:
    price = held.average()
    amount = money.hedged_margin(spec, book.account.leverage, held.covered(), price)
    rate = (_margin_rate(book, spec, 0, price, quotes) + _margin_rate(book, spec, 1, price, quotes)) / 2.0
    return book.money(amount * rate * (spec.margin_rate_buy + spec.margin_rate_sell) / 2.0)


def margin_after(
    book: Book, side: SymbolBook, position: Position | None, sell: int, lots: float, price: float, before: float
) -> float:
    """The account's margin after a deal, when it is `before` now. `position`: the opposite one that the deal closes.

    Netting: an order larger than the opposite position needs the larger of the two margins.
    """
    spec, held, quotes = side.spec, side.exposure, book.quotes
    now = held_margin(book, side, quotes)
    if position is None:
        after = exposure_margin(book, spec, held.plus(sell, lots, price), quotes, ordering=True)
    elif lots <= position.volume:
        after = exposure_margin(book, spec, held.plus(position.type, lots, position.price_open, -1), quotes)
    else:
        after = max(now, margin_of(book, spec, sell, lots, price))
    return book.money(before - now + after)


# ---- the account -----------------------------------------------------------------------------------------------------


def holding(book: Book) -> list[SymbolBook]:
    """The symbols in which there are positions."""
    return [side for side in book.symbols.values() if side.positions]


def account_margin(book: Book) -> float:
    return book.money(sum(held_margin(book, s, book.quotes) for s in holding(book)))


def account_profit(book: Book) -> float:
    """The floating profit of all positions, without swaps."""
    return book.money(sum(floating(book, position) for position in book.positions.values()))


def equity(book: Book) -> float:
    """Balance and what all positions would bring, swaps included."""
    swaps = sum(side.swap for side in holding(book))
    return book.money(book.balance + account_profit(book) + swaps)


def equity_floor(book: Book) -> float:
    """Not more than the equity, at a cost that does not grow with the number of positions."""
    return book.balance + sum(floating_floor(book, s, book.quotes) + s.swap for s in holding(book))


def level(equity_: float, margin: float) -> float:
    """The margin level in percent; 0 without margin, as the terminal shows it."""
    return equity_ / margin * 100.0 if margin else 0.0


def is_safe(book: Book) -> bool:
    """Is the margin level above the stop-out level? Cheap when it clearly is."""
    held = holding(book)
    margin = sum(held_margin(book, s, book.quotes) for s in held)
    limit = margin * book.account.stop_out / 100.0
    if not margin or equity_floor(book) > limit:
        return True
    return level(equity(book), book.money(margin)) > book.account.stop_out
