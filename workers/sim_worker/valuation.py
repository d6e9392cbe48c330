"""What an account is worth: profit, equity, free margin, at given quotes.

Pure, and reads only. The functions take the quotes as an argument, so that the horizon can ask about quotes that have
not come yet. Sources: MetaTrader 5 help, "Margin Calculation"; MQL5 docs, "Account Properties".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sim_worker import money
from sim_worker.book import Book
from sim_worker.margins import held_margin, maintenance_margin, reserved, risk_margin
from sim_worker.rates import NoRate as NoRate
from sim_worker.rates import Quote, by_market, convert, profit_rate
from sim_worker.records import Position
from sim_worker.specs import AccountSpec, SymbolSpec, currency_digits
from sim_worker.symbol_book import SymbolBook

Quotes = Mapping[str, Quote]
#: The prices at which long and short positions are valued.
Marks = tuple[float, float]
SETTLEMENT: Final = "settlement"


# ---- profit ----------------------------------------------------------------------------------------------------------


def profit_of(book: Book, spec: SymbolSpec, sell: int, volume: float, opened: float, closed: float) -> float:
    """The profit of a deal from one price to another in the deposit currency, rounded. NoRate if it cannot convert."""
    amount = money.profit(spec, sell, volume, opened, closed)
    if spec.conversion == SETTLEMENT:  # both at this moment, since it is not known when it was opened
        return settled(book, spec, sell, volume, entry_value(book, spec, volume, opened), closed, book.quotes)
    return book.money(converted(book, spec, sell, amount, closed, book.quotes))


def closing_profit(book: Book, position: Position, volume: float, price: float) -> float:
    """The profit of closing a volume of a position at a price, with the interest that a bond has accrued since."""
    spec = book.symbols[position.symbol].spec
    if not spec.tracks_entry:
        return profit_of(book, spec, position.type, volume, position.price_open, price)
    profit = _floating(book, spec, position, volume, price)
    if spec.coupon_rate:
        interest = (money.accrued(spec, book.now) - position.accrued) * volume * spec.contract_size
        signed = -interest if position.type else interest
        profit += converted(book, spec, position.type, signed, price, book.quotes)
    return book.money(profit)


def _floating(book: Book, spec: SymbolSpec, position: Position, volume: float, price: float) -> float:
    if spec.conversion == SETTLEMENT:
        cost = position.cost * volume / position.volume
        return settled(book, spec, position.type, volume, cost, price, book.quotes)
    return profit_of(book, spec, position.type, volume, position.price_open, price)


def entry_value(book: Book, spec: SymbolSpec, volume: float, price: float) -> float:
    """What a volume is worth when it is traded in, in the deposit currency at the ask."""
    route = book.route(spec, spec.currency_profit)
    return volume * spec.lot_value * price * convert(route, spec.name, price, True, book.quotes)


def settled(book: Book, spec: SymbolSpec, sell: int, volume: float, cost: float, price: float, quotes: Quotes) -> float:
    """An exchange's settlement: the exit at today's bid of the currency, less the entry at that day's ask."""
    route = book.route(spec, spec.currency_profit)
    value = volume * spec.lot_value * price * convert(route, spec.name, price, False, quotes)
    return book.money(cost - value if sell else value - cost)


def mark_entry(book: Book, position: Position, added: float = 0.0, price: float = 0.0) -> None:
    """Note what else than its price a position's profit will depend on. `added`: lots that have just joined it."""
    spec = book.symbols[position.symbol].spec
    if not spec.tracks_entry:
        return
    now, before = money.accrued(spec, book.now), position.volume - added
    if not added:
        position.accrued = now
        position.cost = entry_value(book, spec, position.volume, position.price_open)
        return
    position.accrued = (position.accrued * before + now * added) / position.volume
    position.cost += entry_value(book, spec, added, price)


def converted(book: Book, spec: SymbolSpec, sell: int, amount: float, closed: float, quotes: Quotes) -> float:
    """An amount of the profit currency in the deposit currency, not rounded."""
    route = book.route(spec, spec.currency_profit)
    return amount * profit_rate(route, spec, sell, amount, closed, quotes)


def closing_price(position: Position, quote: Quote) -> float:
    """A long position is sold at the bid, a short one bought back at the ask."""
    return quote[2] if position.type else quote[1]


def mark_prices(side: SymbolBook, quotes: Quotes) -> Marks:
    """At which prices long and short positions are valued: bid and ask, or for both the last price of an exchange."""
    if side.by_last:
        return side.last, side.last
    _, bid, ask = quotes[side.spec.name]
    return bid, ask


def floating(book: Book, position: Position) -> float:
    """The profit of an open position at the last quote, without swap."""
    side = book.symbols[position.symbol]
    price = mark_prices(side, book.quotes)[position.type]
    return _floating(book, side.spec, position, position.volume, price)


def floating_floor(book: Book, side: SymbolBook, quotes: Quotes, marks: Marks | None = None) -> float:
    """Not more than the profit of a symbol's positions: from sums, so the cost does not grow with their number.

    `marks` are the prices at which long and short positions are valued, if not those of now.

    Each position's amount is rounded (twice in the Forex modes, and once more after the conversion); the sum is not, so
    what rounding could take is subtracted.
    """
    spec = side.spec
    if spec.conversion or by_market(spec):
        if spec.calc_mode == money.COLLATERAL:
            return assets(book, side, quotes)
        other = spec.currency_profit != book.account.currency
        if spec.conversion == SETTLEMENT or (other and by_market(spec)):
            return _floating_one_by_one(book, side, quotes, marks)  # profits and losses convert at different rates
    bid, ask = marks or mark_prices(side, quotes)
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


def _floating_one_by_one(book: Book, side: SymbolBook, quotes: Quotes, marks: Marks | None) -> float:
    prices, total = marks or mark_prices(side, quotes), 0.0
    for position in side.positions.values():
        price = prices[position.type]
        if side.spec.conversion == SETTLEMENT:
            total += settled(book, side.spec, position.type, position.volume, position.cost, price, quotes)
            continue
        amount = money.profit(side.spec, position.type, position.volume, position.price_open, price)
        total += book.money(converted(book, side.spec, position.type, amount, price, quotes))
    return total


def assets(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    """What collateral is worth, rounded; what is short counts against it."""
    spec, (_, bid, ask), total = side.spec, quotes[side.spec.name], 0.0
    route = book.route(spec, spec.currency_profit)
    for sell, price in ((0, bid), (1, ask)):
        value = money.market_value(spec, side.exposure.side(sell)[0], price)
        worth = book.money(value * convert(route, spec.name, price, bool(sell), quotes))
        total += -worth if sell else worth
    return total


# ---- the account -----------------------------------------------------------------------------------------------------


def holding(book: Book) -> list[SymbolBook]:
    """The symbols in which there are positions, or orders that may reserve margin."""
    if book.reserving:
        return [s for s in book.symbols.values() if s.positions or (s.orders and s.spec.reserves)]
    return [side for side in book.symbols.values() if side.positions]


def account_margin(book: Book) -> float:
    return book.money(sum(held_margin(book, s, book.quotes) for s in holding(book)))


def account_maintenance(book: Book) -> float:
    """The margin of open positions (ACCOUNT_MARGIN_MAINTENANCE)."""
    return book.money(sum(maintenance_margin(book, s, book.quotes) for s in holding(book)))


def account_initial(book: Book) -> float:
    """The margin that pending orders reserve (ACCOUNT_MARGIN_INITIAL)."""
    return book.money(sum(reserved(book, o) for o in book.orders.values())) if book.reserving else 0.0


def account_risk(book: Book) -> float:
    """The margin that the stop-out looks at; see `margins.risk_margin`."""
    return book.money(sum(risk_margin(book, s, book.quotes) for s in holding(book)))


def account_profit(book: Book) -> float:
    """The floating profit of all positions, without swaps."""
    return book.money(sum(floating(book, position) for position in book.positions.values()))


def account_assets(book: Book) -> float:
    """The market value of all collateral (ACCOUNT_ASSETS)."""
    sides = [s for s in holding(book) if s.spec.calc_mode == money.COLLATERAL]
    return book.money(sum(assets(book, s, book.quotes) for s in sides)) if sides else 0.0


def equity(book: Book) -> float:
    """Balance, credit and what all positions would bring, with swaps, collateral and blocked commissions."""
    return book.money(_settled_part(book) + account_profit(book))


def _settled_part(book: Book) -> float:
    swaps = sum(side.swap for side in holding(book))
    return book.balance + book.aside + swaps + account_assets(book)


def equity_floor(book: Book) -> float:
    """Not more than the equity, at a cost that does not grow with the number of positions."""
    return _floor(book, holding(book))


def _floor(book: Book, sides: list[SymbolBook]) -> float:
    total, quotes = book.balance + book.aside - book.unit, book.quotes
    for side in sides:
        if side.positions:
            total += floating_floor(book, side, quotes) + side.swap
    return total


def funds(book: Book) -> float:
    """What margin may take: the equity, in which floating profit counts as the account's group says."""
    mode = book.account.free_margin
    if mode == "all":
        return equity(book)
    counted = min(0.0, account_profit(book)) if mode == "losses" else 0.0
    return book.money(_settled_part(book) + counted)


def covers(book: Book, needed: float) -> bool:
    """Are there funds for this much margin? Cheap when there clearly are."""
    if book.account.free_margin == "all" and equity_floor(book) >= needed:
        return True
    return funds(book) >= needed


def level(equity_: float, margin: float) -> float:
    """The margin level in percent; 0 without margin, as the terminal shows it."""
    return equity_ / margin * 100.0 if margin else 0.0


def stop_line(account: AccountSpec) -> tuple[float, float]:
    """The stop-out is at an equity of the first number and the margin times the second; on an exchange, below it."""
    if account.exchange:
        return 0.0, 1.0
    return (account.stop_out, 0.0) if account.stop_out_mode == "money" else (0.0, account.stop_out / 100.0)


def is_safe(book: Book) -> bool:
    """Is the account above its stop-out? Cheap when it clearly is."""
    account, sides, quotes = book.account, holding(book), book.quotes
    needed = risk_margin if account.exchange else held_margin
    margin = 0.0
    for side in sides:
        margin += needed(book, side, quotes)
    constant, ratio = stop_line(account)
    if _floor(book, sides) > constant + ratio * margin:
        return True
    margin = book.money(margin)
    if not margin:
        return not (account.stop_out_hedged and equity(book) < 0.0)
    exact = equity(book)
    if account.exchange:
        return exact >= margin
    return exact > account.stop_out if account.stop_out_mode == "money" else level(exact, margin) > account.stop_out
