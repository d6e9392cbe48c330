"""The money of an account, counted a second time: slowly, in decimal numbers, from records, quotes and settings alone.

It shares no code with the simulator. Formulas: MetaTrader 5 help, "Profit Calculation", "Margin Calculation".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal

from sim_worker.records import Deal, Order, Position
from sim_worker.specs import AccountSpec, SymbolSpec

Quotes = Mapping[str, tuple[Decimal, Decimal]]
CENT = Decimal("0.01")
DIGITS = {"JPY": Decimal(1)}
FOREX = 0


def dec(value: float) -> Decimal:
    return Decimal(repr(value))


def rounded(value: Decimal, step: Decimal = CENT) -> Decimal:
    return value.quantize(step, ROUND_HALF_UP)


class Reference:
    def __init__(self, account: AccountSpec, specs: Mapping[str, SymbolSpec], quotes: Quotes) -> None:
        self.account, self.specs, self.quotes = account, specs, quotes
        self.unit = Decimal(1).scaleb(-account.currency_digits)

    # ---- conversion ------------------------------------------------------------------------------------------------

    def _leg(self, source: str, target: str, ask: bool, own: str, price: Decimal) -> Decimal | None:
        for name, (bid, offer) in self.quotes.items():
            if name == source + target:
                return price if name == own else offer if ask else bid
            if name == target + source:
                return 1 / (price if name == own else bid if ask else offer)
        return None

    def rate(self, source: str, ask: bool, own: str, price: Decimal) -> Decimal:
        target = self.account.currency
        if source == target:
            return Decimal(1)
        direct = self._leg(source, target, ask, own, price)
        if direct is not None:
            return direct
        first, second = self._leg(source, "USD", ask, own, price), self._leg("USD", target, ask, own, price)
        assert first is not None and second is not None
        return first * second

    # ---- profit ----------------------------------------------------------------------------------------------------

    def profit(self, spec: SymbolSpec, sell: int, lots: Decimal, opened: Decimal, closed: Decimal) -> Decimal:
        unit = DIGITS.get(spec.currency_profit, CENT)
        sign = -1 if sell else 1
        if spec.calc_mode == FOREX:
            size = lots * dec(spec.contract_size)
            amount = sign * (rounded(closed * size, unit) - rounded(opened * size, unit))
            ask = not sell
        else:
            worth = dec(spec.tick_value) / dec(spec.tick_size) if spec.calc_mode == 33 else dec(spec.contract_size)
            amount = rounded(sign * (closed - opened) * lots * worth, unit)
            ask = amount < 0
        return rounded(amount * self.rate(spec.currency_profit, ask, spec.name, closed), self.unit)

    def floating(self, position: Position) -> Decimal:
        spec = self.specs[position.symbol]
        bid, ask = self.quotes[position.symbol]
        last = spec.calc_mode == 33  # an exchange's future: the last price, which is the bid here
        closed = ask if position.type and not last else bid
        return self.profit(spec, position.type, dec(position.volume), dec(position.price_open), closed)

    # ---- margin ----------------------------------------------------------------------------------------------------

    def _need(
        self, spec: SymbolSpec, sell: int, lots: Decimal, price: Decimal, factor: Decimal, per_lot: Decimal | None
    ) -> Decimal:
        """Rounded. `per_lot`: fixed money for each lot instead of the formula."""
        if per_lot is not None:
            amount = lots * per_lot
        elif spec.calc_mode == FOREX:
            amount = lots * dec(spec.contract_size) / self.account.leverage
        else:
            amount = lots * dec(spec.contract_size) * price
        return rounded(amount * self.rate(spec.currency_margin, not sell, spec.name, price) * factor, self.unit)

    def _positions_need(self, spec: SymbolSpec, sell: int, lots: Decimal, price: Decimal) -> Decimal:
        rates = spec.margin_rates[:2] if self.account.margin_mode == "exchange" else spec.maintenance_rates
        fixed = dec(spec.margin_initial) if spec.margin_initial else None
        if fixed is not None and spec.margin_maintenance and self.account.margin_mode != "exchange":
            fixed = dec(spec.margin_maintenance)
        return self._need(spec, sell, lots, price, dec((rates or spec.margin_rates)[sell]), fixed)

    def _orders_need(self, spec: SymbolSpec, orders: Iterable[Order]) -> Decimal:
        total, types = Decimal(0), defaultdict(list)
        for order in orders:
            types[order.type].append((dec(order.volume_current), dec(order.price_open)))
        for kind, parts in types.items():
            lots = sum(volume for volume, _ in parts)
            price = sum(volume * price for volume, price in parts) / lots
            fixed = dec(spec.margin_initial) if spec.margin_initial else None
            total += self._need(spec, kind % 2, lots, price, dec(spec.margin_rates[kind]), fixed)
        return total

    def margin(self, positions: Iterable[Position], orders: Iterable[Order]) -> Decimal:
        positions, orders, total = list(positions), list(orders), Decimal(0)
        for name, spec in self.specs.items():
            held = [p for p in positions if p.symbol == name]
            resting = [o for o in orders if o.symbol == name]
            one = self._hedging if self.account.margin_mode == "hedging" else self._netting
            total += one(spec, held, resting)
        return total

    def _hedging(self, spec: SymbolSpec, held: list[Position], resting: list[Order]) -> Decimal:
        lots, cost = [Decimal(0), Decimal(0)], [Decimal(0), Decimal(0)]
        for position in held:
            lots[position.type] += dec(position.volume)
            cost[position.type] += dec(position.volume) * dec(position.price_open)
        averages = [cost[sell] / lots[sell] if lots[sell] else Decimal(0) for sell in (0, 1)]
        if spec.margin_hedged_use_leg:
            legs = [
                (self._positions_need(spec, sell, lots[sell], averages[sell]) if lots[sell] else Decimal(0))
                + self._orders_need(spec, [o for o in resting if o.type % 2 == sell])
                for sell in (0, 1)
            ]
            return max(legs)
        larger = 1 if lots[1] > lots[0] else 0
        total = self._orders_need(spec, resting)
        if lots[0] != lots[1]:
            total += self._positions_need(spec, larger, abs(lots[0] - lots[1]), averages[larger])
        covered = min(lots)
        if covered:
            price = sum(cost) / sum(lots)
            size = dec(spec.margin_hedged)
            if spec.margin_initial:
                amount = covered * size
            elif spec.calc_mode == FOREX:
                amount = covered * size / self.account.leverage
            else:
                amount = covered * size * price
            both = [self.rate(spec.currency_margin, ask, spec.name, price) for ask in (True, False)]
            rates = [dec(rate) for rate in (spec.maintenance_rates or spec.margin_rates[:2])]
            total += rounded(amount * sum(both) / 2 * sum(rates) / 2, self.unit)
        return total

    def _netting(self, spec: SymbolSpec, held: list[Position], resting: list[Order]) -> Decimal:
        sell, lots, sides = 0, Decimal(0), [Decimal(0), Decimal(0)]
        for position in held:
            sell, lots = position.type, dec(position.volume)
            sides[sell] = self._positions_need(spec, sell, lots, dec(position.price_open))
        limits = [o for o in resting if o.type in (2, 3)]
        for side in (0, 1):
            own = [o for o in limits if o.type % 2 == side]
            if side == sell or sum(dec(o.volume_current) for o in own) > lots:
                sides[side] += self._orders_need(spec, own)
        return max(sides) + self._orders_need(spec, [o for o in resting if o.type > 3])

    # ---- the account -----------------------------------------------------------------------------------------------

    def balance(self, deals: Iterable[Deal]) -> Decimal:
        made = [deal for deal in deals if deal.type != 3]
        return sum((dec(part) for d in made for part in (d.profit, d.commission, d.swap, d.fee)), Decimal(0))

    def equity(self, deals: Iterable[Deal], positions: Iterable[Position], blocked: float) -> Decimal:
        open_ = sum((self.floating(p) + dec(p.swap) for p in positions), Decimal(0))
        return self.balance(deals) + dec(self.account.credit) + open_ + dec(blocked)


def holdings(deals: Iterable[Deal], specs: Mapping[str, SymbolSpec]) -> dict[int, tuple[int, Decimal, Decimal]]:
    """From deals to open positions: identifier -> (short, lots, open price)."""
    found: dict[int, tuple[int, Decimal, Decimal]] = {}
    for deal in deals:
        if deal.type > 1:
            continue
        side, lots, price = found.get(deal.position_id, (deal.type, Decimal(0), Decimal(0)))
        volume, at = dec(deal.volume), dec(deal.price)
        if side == deal.type:
            total = lots + volume
            step = Decimal(1).scaleb(-(specs[deal.symbol].digits + 3))
            found[deal.position_id] = (side, total, rounded((lots * price + volume * at) / total, step))
        elif volume < lots:
            found[deal.position_id] = (side, lots - volume, price)
        elif volume == lots:
            del found[deal.position_id]
        else:
            found[deal.position_id] = (deal.type, volume - lots, at)
    return found
