"""What holds whatever is traded: money is conserved, numbers are not reused, jumping finds everything."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mas_router.messages import TradeRequest
from mas_router.orders import State, advance
from sim_worker import valuation
from sim_worker.charges import Commission
from sim_worker.engine import Change, Engine, OrderChange
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY_LIMIT,
    BUY_STOP_LIMIT,
    CLOSE_BY,
    DEAL,
    MODIFY,
    NOON,
    PENDING,
    REMOVE,
    SECOND,
    SELL_STOP_LIMIT,
    SLTP,
)

POINT = 0.00001
MINUTE = 60 * SECOND


@dataclass(frozen=True)
class Step:
    """Some quotes go by, then something is asked for. Prices are points away from the market."""

    quotes: int
    action: int
    kind: int
    lots: int
    price: int
    sl: int
    tp: int
    pick: int
    minutes: int


steps = st.lists(
    st.builds(
        Step,
        quotes=st.integers(0, 40),
        action=st.sampled_from([DEAL, DEAL, DEAL, PENDING, PENDING, SLTP, MODIFY, REMOVE, CLOSE_BY, -DEAL]),
        kind=st.integers(0, 7),
        lots=st.integers(1, 60),
        price=st.integers(-200, 200),
        sl=st.integers(-100, 100),
        tp=st.integers(-100, 100),
        pick=st.integers(0, 5),
        minutes=st.integers(0, 120),
    ),
    min_size=1,
    max_size=15,
)
accounts = st.builds(
    AccountSpec,
    deposit=st.sampled_from([300.0, 1_000.0, 10_000.0]),
    currency=st.sampled_from(["USD", "EUR"]),
    margin_mode=st.sampled_from(["hedging", "netting"]),
    commissions=st.sampled_from([(), (Commission(3.5),)]),
    limit_gap_policy=st.sampled_from(["at_price", "improve"]),
    tp_gap_policy=st.sampled_from(["at_price", "improve"]),
    limit_positions=st.sampled_from([0, 0, 2]),
    fifo_close=st.booleans(),
    hedge_allowed=st.booleans(),
    server_hours=st.sampled_from(["", "", "Mon-Sun 00:10-23:50"]),
)
#: A symbol as most brokers have it, or with rules of all kinds. The walk takes hours from noon on.
contracts = st.builds(
    replace,
    st.just(SYMBOLS["EURUSD"]),
    margin_hedged=st.sampled_from([0.0, 50_000.0, 100_000.0]),
    execution=st.sampled_from([2, 2, 1, 3]),
    calc_mode=st.sampled_from([0, 0, 33]),
    filling_mode=st.sampled_from([3, 7]),
    liquidity=st.sampled_from([0.0, 0.0, 0.2]),
    slippage_points=st.sampled_from([0, 7]),
    order_gtc_mode=st.sampled_from([0, 0, 1, 2]),
    sessions_trade=st.sampled_from(["", "", "Mon 12:00-12:20, 12:30-13:10, 14:00-24:00"]),
    sessions_quote=st.sampled_from(["", "", "Mon 12:00-12:25, 12:27-13:30, 13:50-24:00"]),
    holidays=st.sampled_from(["", "2024-01-01 12:10-20:00"]),
    quote_max_delay=st.sampled_from([0.0, 300.0]),
)
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Run:
    """Quotes of a random walk and steps of trading, on one engine, feeding every quote or jumping between events."""

    def __init__(self, account: AccountSpec, spec: SymbolSpec, seed: int, trading: list[Step], jump: bool) -> None:
        self.engine = Engine(account, lambda name: spec if name == "EURUSD" else None)
        self.changes: list[Change] = []
        self.most_positions = 0
        self._quotes(seed, 1 + sum(step.quotes for step in trading))
        self._feed(0, 1, jump)
        done = 1
        for step in trading:
            self._feed(done, done + step.quotes, jump)
            done += step.quotes
            self._trade(step, done - 1)

    def _quotes(self, seed: int, count: int) -> None:
        random = np.random.default_rng(seed)
        walk = np.cumsum(random.integers(-40, 41, count) * (1 + 10 * (random.random(count) < 0.05)))
        points = np.maximum(110_000 + walk, 50_000)
        self.times = NOON + MINUTE * np.arange(count, dtype=np.int64)
        self.bids = np.round(points * POINT, 5)
        spread = random.integers(0, 30, count)
        self.asks = np.round((points + spread) * POINT, 5)
        self.lasts = np.round((points + random.integers(-10, 40, count)) * POINT, 5)

    def _feed(self, start: int, stop: int, jump: bool) -> None:
        while start < stop:
            at = start
            if jump:
                part = slice(start, stop)
                at += self.engine.next_event(
                    "EURUSD", self.times[part], self.bids[part], self.asks[part], self.lasts[part]
                )
                at = min(at, stop - 1)
            row = (float(prices[at]) for prices in (self.bids, self.asks, self.lasts))
            self.changes += self.engine.quote("EURUSD", int(self.times[at]), *row)
            self.most_positions = max(self.most_positions, len(self.engine.positions()))
            start = at + 1

    def _trade(self, step: Step, row: int) -> None:
        time = int(self.times[row])
        request = self._request(step, float(self.bids[row]), time)
        outcome = self.engine.trade(request, time, client_id=f"c{row}", auto_filling=step.pick % 2 == 0)
        self.changes += outcome.changes
        self.most_positions = max(self.most_positions, len(self.engine.positions()))

    def _request(self, step: Step, market: float, time: int) -> TradeRequest:
        tickets = [p.ticket for p in self.engine.positions()] or [1]
        orders = [o.ticket for o in self.engine.orders()] or [1]
        deal = abs(step.action) == DEAL
        kind = step.kind % 2 if deal else BUY_LIMIT + step.kind % 6
        price = market + step.price * POINT
        ticket = tickets[step.pick % len(tickets)]
        return TradeRequest(
            action=abs(step.action),
            symbol="EURUSD",
            type=kind,
            volume=step.lots / 100,
            price=round(price, 5),
            stoplimit=round(price + (-30 if kind == BUY_STOP_LIMIT else 30) * POINT, 5)
            if kind in (BUY_STOP_LIMIT, SELL_STOP_LIMIT)
            else 0.0,
            sl=self._level(step.sl, market if deal or step.action == SLTP else price),
            tp=self._level(step.tp, market if deal or step.action == SLTP else price),
            type_filling=step.pick % 4,
            deviation=step.minutes,
            type_time=2 if step.minutes % 3 == 1 else step.minutes % 3 // 2,
            expiration=time // SECOND + 60 * step.minutes,
            order=orders[step.pick % len(orders)],
            position=ticket if step.action in (-DEAL, SLTP, CLOSE_BY) else 0,
            position_by=tickets[(step.pick + 1) % len(tickets)],
        )

    def _level(self, points: int, market: float) -> float:
        return round(market + points * POINT, 5) if points % 3 else 0.0


@quick
@given(accounts, contracts, seeds, steps)
def test_money_is_conserved(account, contract, seed, trading):
    engine = Run(account, contract, seed, trading, jump=False).engine
    total = sum(d.profit + d.commission + d.swap + d.fee for d in engine.deals())
    row = engine.account_row()
    assert round(row["balance"] - total, 6) == 0
    assert round(row["equity"] - row["balance"] - sum(p.profit for p in engine.positions()), 6) == 0


@quick
@given(accounts, contracts, seeds, steps)
def test_volume_is_conserved_and_every_position_comes_from_its_deals(account, contract, seed, trading):
    engine = Run(account, contract, seed, trading, jump=False).engine
    net: dict[int, float] = {}
    for deal in engine.deals()[1:]:
        net[deal.position_id] = net.get(deal.position_id, 0.0) + (-deal.volume if deal.type else deal.volume)
    held = {p.identifier: -p.volume if p.type else p.volume for p in engine.positions()}
    assert {k: round(v, 8) for k, v in net.items() if round(v, 8)} == held


@quick
@given(accounts, contracts, seeds, steps)
def test_tickets_are_never_reused_and_every_deal_has_its_order(account, contract, seed, trading):
    engine = Run(account, contract, seed, trading, jump=False).engine
    orders = [o.ticket for o in engine.history_orders()] + [o.ticket for o in engine.orders()]
    made = [d.ticket for d in engine.deals()]
    assert len(set(orders)) == len(orders)
    assert made == sorted(set(made))
    assert {d.order for d in engine.deals()[1:]} <= set(orders)
    assert {p.ticket for p in engine.positions()} <= set(orders)


@quick
@given(accounts, contracts, seeds, steps)
def test_netting_never_holds_two_positions_of_a_symbol(account, contract, seed, trading):
    run = Run(replace(account, margin_mode="netting"), contract, seed, trading, jump=False)
    assert run.most_positions <= 1


def _assert_that_jumping_finds_everything(
    account: AccountSpec, contract: SymbolSpec, seed: int, trading: list[Step]
) -> None:
    slow = Run(account, contract, seed, trading, jump=False)
    fast = Run(account, contract, seed, trading, jump=True)
    assert fast.changes == slow.changes
    assert fast.engine.account_row() == slow.engine.account_row()
    assert fast.engine.history_orders() == slow.engine.history_orders()
    assert fast.engine.last_quote("EURUSD") == slow.engine.last_quote("EURUSD")


@settings(quick, max_examples=200)
@given(accounts, contracts, seeds, steps)
def test_jumping_from_event_to_event_gives_exactly_what_feeding_every_quote_gives(account, contract, seed, trading):
    _assert_that_jumping_finds_everything(account, contract, seed, trading)


#: Partial fills and closed hours at once, on an account that can pay for them.
BUSY = replace(
    SYMBOLS["EURUSD"],
    execution=3,
    filling_mode=7,
    liquidity=0.1,
    sessions_trade="Mon 12:00-12:20, 12:30-13:10, 13:15-24:00",
    sessions_quote="Mon 12:00-12:25, 12:27-12:50, 12:55-13:20, 13:30-24:00",
)
many_steps = st.lists(
    st.builds(
        Step,
        quotes=st.integers(0, 40),
        action=st.sampled_from([DEAL, PENDING]),
        kind=st.integers(0, 7),
        lots=st.integers(5, 60),
        price=st.integers(-200, 200),
        sl=st.integers(-100, 100),
        tp=st.integers(-100, 100),
        pick=st.just(2),
        minutes=st.integers(0, 120),
    ),
    min_size=4,
    max_size=12,
)


@settings(quick, max_examples=150)
@given(st.sampled_from(["hedging", "netting"]), st.sampled_from([0, 33]), seeds, many_steps)
def test_jumping_through_closed_hours_and_partial_fills_misses_nothing(mode, calc_mode, seed, trading):
    account = AccountSpec(deposit=1e5, margin_mode=mode)
    _assert_that_jumping_finds_everything(account, replace(BUSY, calc_mode=calc_mode), seed, trading)


@quick
@given(accounts, contracts, seeds, steps)
def test_the_same_input_gives_the_same_output(account, contract, seed, trading):
    first = Run(account, contract, seed, trading, jump=True)
    second = Run(account, contract, seed, trading, jump=True)
    assert repr(first.changes) == repr(second.changes)


@quick
@given(accounts, contracts, seeds, steps)
def test_every_change_of_an_order_is_a_transition_of_the_state_table(account, contract, seed, trading):
    states: dict[int, State] = {}
    for change in Run(account, contract, seed, trading, jump=False).changes:
        if isinstance(change, OrderChange):
            before = states.get(change.order.ticket, State.SUBMITTED)
            states[change.order.ticket] = advance(before, change.state)
        elif change.deal.reason == 3:
            assert states[change.order.ticket] in (State.FILLED, State.PARTIALLY_FILLED)


@quick
@given(seeds, st.integers(0, 300), st.sampled_from([500.0, 800.0, 1200.0]), st.integers(0, 1))
def test_jumping_through_a_conversion_symbol_misses_no_stop_out(seed, drop, deposit, side):
    def run(jump: bool) -> list[Change]:
        engine = Engine(AccountSpec(deposit=deposit), SYMBOLS.get)
        engine.quote("EURUSD", NOON, 1.1, 1.1001)
        engine.quote("GBPUSD", NOON, 1.25, 1.2501)
        engine.quote("EURGBP", NOON, 0.85, 0.8501)
        engine.trade(TradeRequest(action=DEAL, symbol="EURGBP", type=side, volume=0.4), NOON)
        moved = 0.85 + (drop if side else -drop) * 1e-4 / 3
        engine.quote("EURGBP", NOON, round(moved, 5), round(moved + 0.0001, 5))
        random = np.random.default_rng(seed)
        count = 300
        bids = np.round(1.25 + np.cumsum(random.integers(-300, 320, count)) * 1e-5, 5)
        times = NOON + SECOND * np.arange(1, count + 1, dtype=np.int64)
        changes: list[Change] = []
        at = 0
        while at < count:
            if jump:
                at += engine.next_event("GBPUSD", times[at:], bids[at:], bids[at:] + 1e-4)
                at = min(at, count - 1)
            changes += engine.quote("GBPUSD", int(times[at]), float(bids[at]), float(bids[at] + 1e-4))
            at += 1
        return changes

    assert run(True) == run(False)


@quick
@given(
    st.sampled_from(["EURUSD", "USDJPY", "EURGBP", "EURJPY", "XAUUSD"]),
    st.sampled_from(["USD", "EUR", "JPY"]),
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 40), st.integers(-300, 300)), min_size=1, max_size=30),
    seeds,
)
def test_the_quick_bound_of_the_equity_is_never_above_it_and_close_to_it(symbol, currency, trades, seed):
    engine = Engine(
        AccountSpec(deposit=1e7, currency=currency, currency_digits=0 if currency == "JPY" else 2), SYMBOLS.get
    )
    random = np.random.default_rng(seed)

    def quote(name: str, points: int) -> None:
        spec = SYMBOLS[name]
        bid = spec.reference_price + points * spec.point
        engine.quote(name, NOON, bid, bid + int(random.integers(0, 30)) * spec.point)

    for name in SYMBOLS:
        quote(name, 0)
    for side, lots, points in trades:
        quote(symbol, points)
        engine.trade(TradeRequest(action=DEAL, symbol=symbol, type=side, volume=lots / 100), NOON)
    book = engine._book
    exact, floor = valuation.equity(book), valuation.equity_floor(book)
    assert floor <= exact
    assert exact - floor <= (len(trades) + 2) * (5.0 if "JPY" in symbol + currency else 0.05)


def _joint_engine(deposit: float, lots: tuple[int, int, int], sides: tuple[int, int, int]) -> Engine:
    engine = Engine(AccountSpec(deposit=deposit, margin_mode="netting"), SYMBOLS.get)
    for symbol, price in (("EURUSD", 1.1), ("GBPUSD", 1.25), ("EURGBP", 0.88)):
        engine.quote(symbol, NOON, price, round(price + 0.0001, 5))
    for symbol, volume, side in zip(("EURUSD", "GBPUSD", "EURGBP"), lots, sides, strict=True):
        engine.trade(TradeRequest(action=DEAL, symbol=symbol, type=side, volume=volume / 100), NOON)
    return engine


@quick
@given(
    seeds,
    st.sampled_from([1_500.0, 2_500.0, 5_000.0]),
    st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)),
)
def test_before_the_earliest_next_event_of_all_symbols_nothing_happens_though_all_of_them_move(
    seed, deposit, lots, sides
):
    engine = _joint_engine(deposit, lots, sides)
    random = np.random.default_rng(seed)
    count = 200
    times = NOON + SECOND * np.arange(1, count + 1, dtype=np.int64)
    bids = {
        symbol: np.round(price + np.cumsum(random.integers(-120, 121, count)) * POINT, 5)
        for symbol, price in (("EURUSD", 1.1), ("GBPUSD", 1.25), ("EURGBP", 0.88))
    }
    first = min(engine.next_event(symbol, times, part, part + 0.0001) for symbol, part in bids.items())
    for row in range(first):
        for symbol, part in bids.items():
            assert engine.quote(symbol, int(times[row]), float(part[row]), float(part[row] + 0.0001)) == []
