"""Whatever is traded: the account's figures are those of a second, slow count, and money comes from somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import msgpack
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mas_router.messages import TradeRequest
from sim_worker.charges import Commission
from sim_worker.engine import Engine
from sim_worker.records import row
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import CLOSE_BY, DAY, DEAL, MODIFY, NOON, PENDING, REMOVE, SECOND, SELL_STOP_LIMIT
from tests.unit.money_reference import Reference, dec, holdings, rounded

FUTURE = SymbolSpec(
    "FUT", digits=1, calc_mode=33, contract_size=1.0, tick_size=0.5, tick_value=12.5, currency_base="USD",
    currency_margin="USD", margin_initial=400.0, margin_maintenance=250.0, margin_hedged=150.0, swap_mode=4,
    swap_long=-1.15, swap_short=-0.35, swap_rollover3days=5,
)  # fmt: skip
SHARE = replace(SYMBOLS["AAPL"], name="SHARE", volume_step=0.01, volume_min=0.01, swap_mode=4, contract_size=10.0)
PRICES = {"EURUSD": 1.1, "GBPUSD": 1.25, "USDJPY": 150.0, "EURGBP": 0.88, "FUT": 4000.0, "SHARE": 190.0}
TRADED = ("EURUSD", "USDJPY", "EURGBP", "FUT", "SHARE")
RATES = st.sampled_from([(1.0, 1.0, *[0.0] * 6), (1.0, 2.0, 1.0, 1.0, 0.5, 0.5, 1.0, 0.25)])


@dataclass(frozen=True)
class Step:
    """Hours go by, the market moves, then something is asked for. Prices are thousandths away from the market."""

    hours: int
    moves: int
    action: int
    symbol: int
    kind: int
    lots: int
    away: int
    pick: int


steps = st.lists(
    st.builds(
        Step,
        hours=st.sampled_from([0, 0, 1, 9, 30]),
        moves=st.integers(0, 2**32 - 1),
        action=st.sampled_from([DEAL, DEAL, DEAL, -DEAL, -DEAL, PENDING, PENDING, MODIFY, REMOVE, CLOSE_BY]),
        symbol=st.integers(0, len(TRADED) - 1),
        kind=st.integers(0, 7),
        lots=st.integers(1, 99),
        away=st.integers(1, 20),
        pick=st.integers(0, 7),
    ),
    min_size=1,
    max_size=20,
)
rules = st.lists(
    st.sampled_from([
        Commission(3.5, symbols="EUR*"), Commission(0.007, "percent", entry="in"), Commission(1.25, "deal", fee=True),
        Commission(20.0, "million", charge="daily"), Commission(0.5, charge="monthly", symbols="FUT"),
    ]),
    max_size=3, unique=True,
)  # fmt: skip
accounts = st.builds(
    AccountSpec,
    deposit=st.sampled_from([800.0, 3_000.0, 1e6]),
    credit=st.sampled_from([0.0, 250.0]),
    currency=st.sampled_from(["USD", "EUR"]),
    currency_digits=st.sampled_from([2, 2, 0, 8]),
    margin_mode=st.sampled_from(["hedging", "hedging", "netting", "exchange"]),
    commissions=rules.map(tuple),
    stop_out_mode=st.sampled_from(["percent", "percent", "money"]),
    compensate_negative=st.booleans(),
    stop_out_hedged=st.booleans(),
    trade_mode=st.sampled_from([0, 2]),
)
hedged = st.sampled_from([0.0, 60_000.0, 100_000.0])
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Run:
    """Steps on one engine; after each of them the run stops to be looked at."""

    def __init__(self, account: AccountSpec, rates: tuple[float, ...], margin_hedged: float, leg: bool) -> None:
        self.account, self.now = account, NOON
        self.specs = {
            name: replace(
                {"FUT": FUTURE, "SHARE": SHARE}.get(name) or SYMBOLS[name],
                margin_rates=rates, margin_hedged_use_leg=leg, swap_mode=4, volume_max=5.0,
            )
            for name in PRICES
        }  # fmt: skip
        for name in ("EURUSD", "EURGBP"):
            self.specs[name] = replace(self.specs[name], margin_hedged=margin_hedged)
        self.engine = Engine(account, self.specs.get, opened=NOON)
        self.quotes: dict[str, tuple[Decimal, Decimal]] = {}
        self.swaps = Decimal(0)
        self._move(0, 0)

    def steps(self, trading: list[Step]) -> Iterator[None]:
        for step in trading:
            self._count_swaps(self.now + step.hours * 3600 * SECOND)
            self._move(step.moves, step.hours)
            yield
            self.engine.trade(self._request(step), self.now, client_id="c", auto_filling=True)
            yield

    def _move(self, seed: int, hours: int) -> None:
        random = np.random.default_rng(seed)
        self.now += hours * 3600 * SECOND
        for name, price in PRICES.items():
            spec = self.specs[name]
            bid = round(price * (1 + float(random.normal(0, 0.012))), spec.digits)
            ask = round(bid + int(random.integers(0, 20)) * spec.point, spec.digits)
            self.now += SECOND
            self.quotes[name] = (dec(bid), dec(ask))
            self.engine.quote(name, self.now, bid, ask)

    def _count_swaps(self, until: int) -> None:
        """What the ends of the days up to then cost the positions of now: money per lot, by the day of the week."""
        end = NOON // DAY * DAY + DAY - SECOND
        while end <= self.now:
            end += DAY
        while end <= until + SECOND:
            weekday = (end // DAY + 4) % 7
            for position in self.engine.positions():
                spec = self.specs[position.symbol]
                nights = 3 if weekday == spec.swap_rollover3days else int(0 < weekday < 6)
                per_lot = dec(spec.swap_short if position.type else spec.swap_long)
                unit = Decimal(1).scaleb(-self.account.currency_digits)
                self.swaps += rounded(per_lot * dec(position.volume) * nights, unit)
            end += DAY

    def _request(self, step: Step) -> TradeRequest:
        name = TRADED[step.symbol]
        tickets = self.engine.positions()
        orders = [o.ticket for o in self.engine.orders()] or [1]
        chosen = tickets[step.pick % len(tickets)] if tickets else None
        kind = step.kind % 2 if abs(step.action) == DEAL else 2 + step.kind % 6
        lots, spec = step.lots / 100 * (20 if step.pick == 7 else 1), self.specs[name]
        if step.action == -DEAL and chosen is not None and self.account.hedging:
            kind, name, lots = 1 - chosen.type, chosen.symbol, min(lots, chosen.volume)
        bid, ask = (float(price) for price in self.quotes[name])
        below = kind in (2, 5, 7)
        price = round((ask if kind % 2 == 0 else bid) * (1 + step.away * (-0.001 if below else 0.001)), spec.digits)
        price = round(round(price / spec.tick_size) * spec.tick_size, spec.digits)
        limit = round(round(price * (1.002 if kind == SELL_STOP_LIMIT else 0.998) / spec.tick_size) * spec.tick_size, 5)
        close = chosen.ticket if chosen is not None and step.action in (-DEAL, CLOSE_BY) else 0
        return TradeRequest(
            action=abs(step.action),
            symbol=name,
            type=kind,
            volume=round(lots, 2),
            price=price,
            stoplimit=limit if kind >= 6 else 0.0,
            order=orders[step.pick % len(orders)],
            position=close if self.account.hedging else 0,
            position_by=tickets[(step.pick + 1) % len(tickets)].ticket if tickets else 0,
        )

    def agrees(self) -> None:
        """The figures of the account are those of the reference."""
        engine, shown = self.engine, self.engine.account_row()
        reference = Reference(self.account, self.specs, self.quotes)
        positions, orders, made = engine.positions(), engine.orders(), engine.deals()
        assert dec(shown["balance"]) == reference.balance(made)
        assert [dec(p.profit) for p in positions] == [reference.floating(p) for p in positions]
        assert dec(shown["equity"]) == reference.equity(made, positions, shown["commission_blocked"])
        assert dec(shown["margin"]) == reference.margin(positions, orders)
        assert dec(shown["margin_free"]) == dec(shown["equity"]) - dec(shown["margin"])


@quick
@given(accounts, RATES, hedged, st.booleans(), steps)
def test_the_accounts_figures_are_those_of_a_slow_count(account, rates, margin_hedged, leg, trading):
    run = Run(account, rates, margin_hedged, leg)
    for _ in run.steps(trading):
        run.agrees()


@quick
@given(accounts, RATES, hedged, st.booleans(), steps)
def test_positions_are_what_the_deals_have_left(account, rates, margin_hedged, leg, trading):
    run = Run(account, rates, margin_hedged, leg)
    for _ in run.steps(trading):
        held = {p.identifier: (p.type, dec(p.volume), dec(p.price_open)) for p in run.engine.positions()}
        assert held == holdings(run.engine.deals(), run.specs)
        assert account.hedging or len({p.symbol for p in run.engine.positions()}) == len(held)
    deals = run.engine.deals()
    assert {p.identifier for p in run.engine.positions()} <= {d.position_id for d in deals if d.entry in (0, 2)}
    orders = [order.ticket for order in (*run.engine.history_orders(), *run.engine.orders())]
    assert len(set(orders)) == len(orders)
    assert [deal.ticket for deal in deals] == list(range(700_000_001, 700_000_001 + len(deals)))


@quick
@given(accounts, RATES, hedged, steps)
def test_every_night_is_charged_once(account, rates, margin_hedged, trading):
    run = Run(replace(account, currency="USD"), rates, margin_hedged, leg=False)
    for _ in run.steps(trading):
        moved = sum((dec(deal.swap) for deal in run.engine.deals()), Decimal(0))
        assert moved + sum((dec(p.swap) for p in run.engine.positions()), Decimal(0)) == run.swaps


@quick
@given(accounts, RATES, hedged, st.booleans(), steps)
def test_the_same_input_gives_the_same_bytes(account, rates, margin_hedged, leg, trading):
    def records() -> bytes:
        run = Run(account, rates, margin_hedged, leg)
        for _ in run.steps(trading):
            pass
        engine = run.engine
        found = (*engine.deals(), *engine.history_orders(), *engine.orders(), *engine.positions())
        return bytes(msgpack.packb([engine.account_row(), *map(row, found)]))

    assert records() == records()


@quick
@given(accounts, RATES, hedged, st.booleans(), steps)
def test_after_a_quote_no_account_is_below_its_stop_out_with_anything_left_to_close(
    account, rates, margin_hedged, leg, trading
):
    run = Run(account, rates, margin_hedged, leg)
    for at, _ in enumerate(run.steps(trading)):
        shown = run.engine.account_row()
        if at % 2 or not shown["margin"] or not (run.engine.positions() or shown["margin_initial"]):
            continue
        if account.exchange:
            assert shown["equity"] >= shown["margin_maintenance"]
        elif account.stop_out_mode == "money":
            assert shown["equity"] > account.stop_out
        else:
            assert shown["margin_level"] > account.stop_out
