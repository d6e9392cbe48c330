"""How much margin orders and positions need, in the deposit currency.

Pure, and reads only. The functions take the quotes as an argument, so that the horizon can ask about quotes that have
not come yet. Sources: MetaTrader 5 help, "Margin Calculation: Retail Forex, Futures", "Margin Calculation: Exchange
Model"; MQL5 docs, SymbolInfoMarginRate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from mas_router import mt5
from sim_worker import money
from sim_worker.book import Book
from sim_worker.exposure import Exposure
from sim_worker.rates import Quote, convert
from sim_worker.records import Order, Position
from sim_worker.specs import FORTS, SymbolSpec
from sim_worker.symbol_book import SymbolBook

Quotes = Mapping[str, Quote]
_FIRST_STOP: Final = int(mt5.ORDER_TYPE_BUY_STOP)


class Claim(NamedTuple):
    """An order that needs margin, resting or on its way: its type, lots and price."""

    type: int
    lots: float
    price: float


def margin_of(book: Book, spec: SymbolSpec, order_type: int, volume: float, price: float) -> float:
    """The margin of one order by itself, rounded. NoRate if it cannot convert."""
    claim = Claim(order_type, volume, price)
    if spec.calc_mode == FORTS:
        return _forts_margin(book, spec, Exposure(), [claim], book.quotes, held_at=False)
    return _order_margin(book, spec, claim, book.quotes)


def _order_margin(book: Book, spec: SymbolSpec, claim: Claim, quotes: Quotes) -> float:
    rate = spec.margin_rates[claim.type]
    if not rate:
        return 0.0
    amount = money.margin(spec, book.account.leverage, claim.lots, claim.price)
    return book.money(amount * _currency_rate(book, spec, claim.type & 1, claim.price, quotes) * rate)


def _currency_rate(book: Book, spec: SymbolSpec, sell: int, price: float, quotes: Quotes) -> float:
    """The ask of margin -> deposit currency for buys, the bid for sells; the price if the symbol is the pair."""
    route = book.route(spec, spec.currency_margin)
    return convert(route, spec.name, price, not sell, quotes) if route else 1.0


# ---- of a symbol -----------------------------------------------------------------------------------------------------


def held_margin(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    """The margin of a symbol's positions and resting orders. An exchange asks for the initial margin of both."""
    if side.margin is not None:
        return side.margin
    claims = resting(side) if side.spec.reserves else ()
    margin = _symbol_margin(book, side.spec, side.exposure, claims, quotes, held_at=not book.account.exchange)
    if is_constant(book, side.spec):
        side.margin = margin
    return margin


def risk_margin(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    """The margin that the stop-out looks at: that of `held_margin`, on an exchange the maintenance margin."""
    return maintenance_margin(book, side, quotes) if book.account.exchange else held_margin(book, side, quotes)


def maintenance_margin(book: Book, side: SymbolBook, quotes: Quotes) -> float:
    """The margin of a symbol's positions alone."""
    if side.maintenance is not None:
        return side.maintenance
    margin = _symbol_margin(book, side.spec, side.exposure, (), quotes)
    if is_constant(book, side.spec):
        side.maintenance = margin
    return margin


def is_constant(book: Book, spec: SymbolSpec) -> bool:
    """Does no quote of another symbol change the margin? Own quotes do not: open and order prices convert."""
    return all(name == spec.name for name, _ in book.route(spec, spec.currency_margin))


def resting(side: SymbolBook, without: Order | None = None) -> list[Claim]:
    """The resting orders of a symbol."""
    orders = side.orders.values()
    return [Claim(o.type, o.volume_current, o.price_open) for o in orders if o is not without]


def reserved(book: Book, order: Order) -> float:
    """The margin that a resting order reserves by itself."""
    spec = book.symbols[order.symbol].spec
    return margin_of(book, spec, order.type, order.volume_current, order.price_open) if spec.reserves else 0.0


def _symbol_margin(
    book: Book, spec: SymbolSpec, held: Exposure, claims: Iterable[Claim], quotes: Quotes, held_at: bool = True
) -> float:
    if spec.calc_mode == FORTS:
        return _forts_margin(book, spec, held, claims, quotes, held_at)
    if not claims:
        return _exposure_margin(book, spec, held, quotes, held_at)
    if not book.account.hedging:
        return _netting_margin(book, spec, held, claims, quotes, held_at)
    if spec.margin_hedged_use_leg:
        return max(
            _side_margin(book, spec, sell, *held.side(sell), quotes, held_at)
            + _orders_margin(book, spec, [c for c in claims if c.type & 1 == sell], quotes)
            for sell in (0, 1)
        )
    return _exposure_margin(book, spec, held, quotes, held_at) + _orders_margin(book, spec, claims, quotes)


def _orders_margin(book: Book, spec: SymbolSpec, claims: Iterable[Claim], quotes: Quotes) -> float:
    """Orders of one type count together, at their average price."""
    lots: dict[int, float] = {}
    costs: dict[int, float] = {}
    for claim in claims:
        lots[claim.type] = lots.get(claim.type, 0.0) + claim.lots
        costs[claim.type] = costs.get(claim.type, 0.0) + claim.lots * claim.price
    return sum(_order_margin(book, spec, Claim(t, n, costs[t] / n), quotes) for t, n in lots.items() if n)


# ---- positions -------------------------------------------------------------------------------------------------------


def _exposure_margin(book: Book, spec: SymbolSpec, held: Exposure, quotes: Quotes, held_at: bool = True) -> float:
    """Positions of a symbol without orders. `held_at`: at maintenance margin; else at initial margin.

    Hedging accounts: the uncovered volume at the average price of the larger side, the covered one with the contract
    size `margin_hedged` at the average of all; or the larger side alone. Each part is rounded.
    """
    if not held.long and not held.short:
        return 0.0
    if spec.margin_hedged_use_leg:
        return max(_side_margin(book, spec, sell, *held.side(sell), quotes, held_at) for sell in (0, 1))
    total = _side_margin(book, spec, *held.uncovered(), quotes, held_at)
    if held.long and held.short:
        total += _covered_margin(book, spec, held, quotes)
    return total


def _side_margin(
    book: Book, spec: SymbolSpec, sell: int, lots: float, price: float, quotes: Quotes, held_at: bool
) -> float:
    if not lots:
        return 0.0
    rate = spec.held_rates[sell] if held_at else spec.margin_rates[sell]
    amount = money.margin(spec, book.account.leverage, lots, price, held=held_at)
    return book.money(amount * _currency_rate(book, spec, sell, price, quotes) * rate)


def _covered_margin(book: Book, spec: SymbolSpec, held: Exposure, quotes: Quotes) -> float:
    price = held.average()
    amount = money.hedged_margin(spec, book.account.leverage, held.covered(), price)
    rate = (_currency_rate(book, spec, 0, price, quotes) + _currency_rate(book, spec, 1, price, quotes)) / 2.0
    return book.money(amount * rate * (spec.held_rates[0] + spec.held_rates[1]) / 2.0)


# ---- netting and the exchange ----------------------------------------------------------------------------------------


def _netting_margin(
    book: Book, spec: SymbolSpec, held: Exposure, claims: Iterable[Claim], quotes: Quotes, held_at: bool
) -> float:
    """A position with orders: the larger of the two directions, and on top of it stop and stop-limit orders.

    Opposite orders that the position covers need nothing of their own.
    """
    sell, position, price = held.uncovered()
    directions = [0.0, 0.0]
    directions[sell] = _side_margin(book, spec, sell, position, price, quotes, held_at)
    limits = [claim for claim in claims if claim.type < _FIRST_STOP]
    for direction in (0, 1):
        own = [claim for claim in limits if claim.type & 1 == direction]
        if direction == sell or sum(claim.lots for claim in own) > position:
            directions[direction] += _orders_margin(book, spec, own, quotes)
    stops = [claim for claim in claims if claim.type >= _FIRST_STOP]
    return max(directions) + _orders_margin(book, spec, stops, quotes)


def _forts_margin(
    book: Book, spec: SymbolSpec, held: Exposure, claims: Iterable[Claim], quotes: Quotes, held_at: bool
) -> float:
    """The larger of what buying and what selling needs; the position counts with its sign in both."""
    sell, lots, price = held.uncovered()
    position = -lots if sell else lots
    buying = position * money.forts_margin(spec, 0, price, held_at)
    selling = -position * money.forts_margin(spec, 1, price, held_at)
    for claim in claims:
        if claim.type & 1:
            selling += claim.lots * money.forts_margin(spec, 1, claim.price)
        else:
            buying += claim.lots * money.forts_margin(spec, 0, claim.price)
    larger = 1 if selling > buying else 0
    rate = _currency_rate(book, spec, larger, price, quotes)
    return book.money(max(buying, selling, 0.0) * rate)


# ---- after a request -------------------------------------------------------------------------------------------------


def margin_after_order(
    book: Book, side: SymbolBook, claim: Claim, before: float, instead: Order | None = None
) -> float:
    """The account's margin with one more resting order, or one `instead` of another, when it is `before` now."""
    quotes = book.quotes
    claims = [*resting(side, instead), claim]
    after = _symbol_margin(book, side.spec, side.exposure, claims, quotes, held_at=not book.account.exchange)
    return book.money(before - held_margin(book, side, quotes) + after)


def margin_after_deal(
    book: Book, side: SymbolBook, position: Position | None, claim: Claim, before: float, order: Order | None = None
) -> float:
    """The account's margin after a deal, when it is `before` now.

    `position`: the opposite one that the deal closes; `order`: the resting one that it executes.
    """
    now = held_margin(book, side, book.quotes)
    return book.money(before - now + _after_deal(book, side, position, claim, order))


def _after_deal(book: Book, side: SymbolBook, position: Position | None, claim: Claim, order: Order | None) -> float:
    spec, held, quotes = side.spec, side.exposure, book.quotes
    claims = resting(side, order) if spec.reserves else []
    held_at = not book.account.exchange
    if position is not None and claim.lots <= position.volume:
        rest = held.plus(position.type, claim.lots, position.price_open, -1)
        return _symbol_margin(book, spec, rest, claims, quotes, held_at)
    if not book.account.hedging:
        return _symbol_margin(book, spec, held, [*claims, claim], quotes, held_at)
    return _hedging_after(book, spec, held, claims, claim)


def _hedging_after(book: Book, spec: SymbolSpec, held: Exposure, claims: list[Claim], claim: Claim) -> float:
    """A position more. Where orders need another margin than positions, the new lots still need that of orders.

    An opposite order that turns the larger side needs at least its own margin, as on netting accounts.
    """
    quotes, sell = book.quotes, claim.type & 1
    grown = _symbol_margin(book, spec, held.plus(sell, claim.lots, claim.price), claims, quotes)
    if not spec.two_margins:
        return grown
    larger, uncovered, _ = held.uncovered()
    if larger == sell or not uncovered:
        now = _symbol_margin(book, spec, held, claims, quotes)
        return max(grown, now + _order_margin(book, spec, claim, quotes))
    if claim.lots <= uncovered:
        return grown
    return max(grown, _order_margin(book, spec, claim, quotes) + _orders_margin(book, spec, claims, quotes))
