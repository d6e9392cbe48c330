"""The horizon is never behind an event, whatever money depends on: orders with margin, collateral, settlements ..."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mas_router.messages import TradeRequest
from sim_worker import valuation
from sim_worker.charges import Commission
from sim_worker.engine import Engine
from sim_worker.market import feed, run, run_together
from sim_worker.quotes import Quotes
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import BUY_LIMIT, DAY, DEAL, NOON, PENDING, SECOND

FUTURE = SymbolSpec(
    "FUT", digits=1, calc_mode=33, contract_size=1.0, tick_size=0.5, tick_value=12.5, currency_base="USD",
    currency_margin="USD", margin_initial=400.0, margin_maintenance=250.0, margin_hedged=150.0,
)  # fmt: skip
STOCK = SymbolSpec(
    "STOCK", digits=2, calc_mode=2, contract_size=10.0, currency_base="GBP", currency_profit="GBP",
    currency_margin="GBP", margin_hedged=10.0,
)  # fmt: skip
LISTED: tuple[SymbolSpec, ...] = (
    *(SYMBOLS[name] for name in ("EURUSD", "GBPUSD", "USDJPY", "EURGBP")),
    replace(SYMBOLS["EURGBP"], name="EURGBP.m", conversion="market", margin_rates=(1.0,) * 8),
    FUTURE,
    replace(FUTURE, name="FUT.e", currency_profit="EUR", currency_margin="EUR", conversion="settlement"),
    replace(FUTURE, name="SI", calc_mode=35, settlement_price=4000.0, margin_initial=1.0, margin_maintenance=0.0,
            margin_rates=(300.0, 350.0, *[0.0] * 6)),
    STOCK,
    replace(STOCK, name="COVER", calc_mode=64, liquidity_rate=0.8),
    replace(STOCK, name="STOCK.s", conversion="settlement"),
    replace(STOCK, name="STOCK.d", conversion="deal", margin_rates=(1.0, 1.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0)),
)  # fmt: skip
SPECS = {spec.name: spec for spec in LISTED}
PRICES = {"EURUSD": 1.1, "GBPUSD": 1.25, "USDJPY": 150.0, "EURGBP": 0.88, "EURGBP.m": 0.88}
ROWS = 120
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

accounts = st.builds(
    AccountSpec,
    deposit=st.just(1e7),
    currency=st.sampled_from(["USD", "EUR", "GBP"]),
    margin_mode=st.sampled_from(["hedging", "netting", "exchange"]),
    stop_out_mode=st.sampled_from(["percent", "money"]),
    stop_out=st.sampled_from([20.0, 100.0]),
    credit=st.sampled_from([0.0, 500.0]),
    commissions=st.sampled_from([(), (Commission(2.0, charge="daily"),)]),
)
#: A symbol, a type (0 and 1 deals, 2 and 3 limit orders far away), and hundredths of lots.
holdings = st.lists(
    st.tuples(st.sampled_from(sorted(SPECS)), st.integers(0, 3), st.integers(1, 300)), min_size=1, max_size=6
)
#: By how much more equity there is than the stop-out needs.
margins = st.sampled_from([0.001, 0.01, 0.05, 0.3])


def _price(name: str) -> float:
    return PRICES.get(name) or (4000.0 if name in ("FUT", "FUT.e", "SI") else 190.0)


def _engine(account: AccountSpec, held: list[tuple[str, int, int]], more: float) -> Engine:
    engine = Engine(account, SPECS.get, opened=NOON)
    for name, spec in SPECS.items():
        engine.quote(name, NOON, _price(name), _price(name) + spec.point, _price(name))
    for name, kind, lots in held:
        price = round(_price(name) * (0.9 if kind == BUY_LIMIT else 1.1), SPECS[name].digits)
        action, price = (PENDING, price) if kind > 1 else (DEAL, 0.0)
        request = TradeRequest(action=action, symbol=name, type=kind, volume=lots / 100, price=price)
        engine.trade(request, NOON, auto_filling=True)
    book = engine._book
    constant, ratio = valuation.stop_line(account)
    line = constant + ratio * valuation.account_risk(book)
    book.operate(2, -book.money(valuation.equity(book) - line * (1.0 + more) - more), "withdrawal")
    return engine


def _walks(seed: int, step: float) -> dict[str, tuple[Any, Any, Any]]:
    """Bids, asks and last prices of every symbol."""
    random, found = np.random.default_rng(seed), {}
    for name, spec in SPECS.items():
        bids = _price(name) * np.exp(np.cumsum(random.normal(0.0, step, ROWS)))
        asks = bids + random.integers(0, 5, ROWS) * spec.point
        found[name] = (bids, asks, bids + random.integers(-5, 6, ROWS) * spec.point)
    return found


def _state(engine: Engine) -> tuple[Any, ...]:
    swaps = tuple(position.swap for position in engine.positions())
    return len(engine.deals()), len(engine.history_orders()), swaps


@quick
@given(accounts, holdings, margins, st.integers(0, 2**32 - 1), st.sampled_from([1e-5, 1e-4, 1e-3]), st.booleans())
def test_before_the_earliest_event_of_all_symbols_nothing_happens(account, held, more, seed, step, late):
    engine = _engine(account, held, more)
    since = NOON // DAY * DAY + DAY - 60 * SECOND if late else NOON
    times = since + SECOND * np.arange(1, ROWS + 1, dtype=np.int64)
    walks = _walks(seed, step)
    first = min(engine.next_event(name, times, *walk) for name, walk in walks.items())
    before = _state(engine)
    for row in range(first):
        for name, walk in walks.items():
            assert engine.quote(name, int(times[row]), *(float(prices[row]) for prices in walk)) == []
    assert _state(engine) == before


@quick
@given(accounts, holdings, margins, st.integers(0, 2**32 - 1), st.sampled_from([1e-5, 1e-4, 1e-3]))
def test_jumping_along_one_symbol_finds_what_feeding_every_quote_finds(account, held, more, seed, step):
    """While the other symbols stand still; the first symbol that is held, and each that converts its money."""
    times = NOON + 900 * SECOND * np.arange(1, ROWS + 1, dtype=np.int64)  # more than a day
    for name in sorted({held[0][0], "EURUSD", "GBPUSD"}):
        bid, ask, last = _walks(seed, step)[name]
        quotes = Quotes(time=times, bid=bid, ask=ask, last=last)
        slow, fast = _engine(account, held, more), _engine(account, held, more)
        changes = [change for row in range(ROWS) for change in feed(slow, name, quotes, row)]
        assert run(fast, name, quotes) == changes
        assert _ends(fast) == _ends(slow)


def _ends(engine: Engine) -> tuple[Any, ...]:
    return engine.account_row(), engine.deals(), engine.history_orders(), engine.positions()


@quick
@given(accounts, holdings, margins, st.integers(0, 2**32 - 1), st.sampled_from([1e-5, 1e-4]))
def test_jumping_along_all_symbols_finds_what_feeding_every_quote_finds(account, held, more, seed, step):
    """Each symbol has quotes at times of its own. The days end with the prices of that moment, whatever was skipped."""
    parts = {}
    for at, (name, walk) in enumerate(_walks(seed, step).items()):
        times = NOON + 900 * SECOND * np.arange(1, ROWS + 1, dtype=np.int64) + at
        parts[name] = Quotes(time=times, bid=walk[0], ask=walk[1], last=walk[2])
    slow, fast = _engine(account, held, more), _engine(account, held, more)
    changes = [c for row in range(ROWS) for name in parts for c in feed(slow, name, parts[name], row)]
    assert run_together(fast, dict(parts)) == changes
    assert _ends(fast) == _ends(slow)


@quick
@given(accounts, holdings, margins, st.integers(0, 2**32 - 1), st.sampled_from([1e-5, 1e-4, 1e-3]))
def test_within_prices_that_are_quiet_no_quote_changes_anything_before_the_deadline(account, held, more, seed, step):
    times = NOON + 900 * SECOND * np.arange(1, ROWS + 1, dtype=np.int64)
    for name in sorted({held[0][0], "EURUSD", "GBPUSD"}):
        bid, ask, _ = _walks(seed, step)[name]
        engine = _engine(account, held, more)
        lookout = engine.lookout(name)
        if not lookout.quiet(bid.min(), bid.max(), ask.min(), ask.max()):
            continue
        before, quotes = _state(engine), Quotes(time=times, bid=bid, ask=ask)
        for row in range(int(np.searchsorted(times, lookout.deadline))):
            assert feed(engine, name, quotes, row) == []
        assert _state(engine) == before
