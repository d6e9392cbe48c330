"""The end of the day: swaps of every mode, triple days and holidays, rolled over positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mas_router.errors import InvalidField
from sim_worker.engine import DealChange
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import BUY, DAY, DEAL, MONDAY, SECOND, SELL, Desk

EURUSD = SYMBOLS["EURUSD"]
END = DAY - SECOND  # 23:59:59


def _spec(mode: int, long: float = -10.0, short: float = 4.0, **fields: Any) -> SymbolSpec:
    return replace(EURUSD, swap_mode=mode, swap_long=long, swap_short=short, **fields)


def _held(spec: SymbolSpec, side: int = BUY, lots: float = 1.0, price: float = 1.1, **account: Any) -> Desk:
    """A position since Monday noon."""
    desk = Desk(spec, deposit=account.pop("deposit", 100_000.0), **account)
    desk.quote(price)
    desk.trade(DEAL, type=side, volume=lots)
    return desk


def _overnight(desk: Desk, nights: int = 1) -> float:
    desk.engine.clock(MONDAY + nights * DAY)
    return desk.engine.positions()[0].swap


@pytest.mark.fidelity(
    rule="5 lots of USDTRY at -11.35 points cost 12.94 USD: the worth of a point is rounded before it is multiplied.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
)
def test_swap_in_points_multiplies_the_rounded_worth_of_a_point():
    lira = SymbolSpec(
        "USDTRY",
        currency_base="USD",
        currency_profit="TRY",
        currency_margin="USD",
        swap_mode=1,
        swap_long=-11.35,
    )
    desk = _held(lira, lots=5.0, price=round(1 / 0.2274587, 5))
    assert _overnight(desk) == -12.94


@pytest.mark.fidelity(
    rule="Swap in points of a position so small that a point rounds to nothing is 0.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
)
def test_a_position_whose_point_is_worth_nothing_pays_nothing():
    assert _overnight(_held(_spec(1, -100.0), lots=0.01)) == -1.0  # a point is worth a cent
    assert _overnight(_held(_spec(1, -100.0, contract_size=40_000.0, tick_value=0.4), lots=0.01)) == 0.0


@pytest.mark.parametrize(
    ("mode", "side", "expected"),
    [
        (2, BUY, -11.05),  # EUR, at the ask: paying
        (2, SELL, 4.4),  # at the bid: receiving
        (3, BUY, -11.05),
        (4, BUY, -10.0),
        (4, SELL, 4.0),
    ],
)
@pytest.mark.fidelity(
    rule="Swap in money is an amount for each lot, converted at the side that is worse for the trader.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
)
def test_swap_in_money_is_per_lot_and_converts_to_the_traders_disadvantage(mode, side, expected):
    # A currency pair beside it converts, since the symbol itself is not the pair here.
    spec = SymbolSpec(
        "GOLD", calc_mode=2, digits=2, contract_size=1.0, currency_base="EUR", currency_profit="JPY",
        currency_margin="EUR", swap_mode=mode, swap_long=-10.0, swap_short=4.0,
    )  # fmt: skip
    desk = Desk(spec, deposit=100_000.0)
    desk.quote(1.1, 1.105, symbol="EURUSD")
    desk.quote(100.0, symbol="USDJPY")
    desk.quote(50.0)
    desk.trade(DEAL, type=side, volume=1.0)
    assert _overnight(desk) == expected


@pytest.mark.parametrize(("mode", "expected"), [(5, -33.33), (6, -30.56)])
@pytest.mark.fidelity(
    rule="Swap as interest is a share of the position's worth a year, by its present price or its open price.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
)
def test_interest_goes_by_the_present_or_the_open_price(mode, expected):
    desk = _held(_spec(mode, -10.0))  # 10 % of 110000 or 120000 USD a year of 360 days
    desk.quote(1.2)
    assert _overnight(desk) == expected


@pytest.mark.fidelity(
    rule="A year of swap as interest has 360 days, or as many as the broker says.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
    setting="SymbolSpec.swap_year",
)
def test_the_days_of_a_year_are_a_setting():
    assert _overnight(_held(_spec(5, -10.0, swap_year=365))) == -30.14


def test_interest_on_a_contract_for_difference_and_on_a_future_follows_their_formulas():
    share = SymbolSpec(
        "S", calc_mode=2, digits=2, contract_size=10.0, currency_base="USD", currency_margin="USD",
        swap_mode=5, swap_long=-36.0,
    )  # fmt: skip
    assert _overnight(_held(share, price=200.0)) == -2.0
    future = replace(share, name="F", calc_mode=1, tick_size=0.25, tick_value=12.5, margin_initial=100.0)
    assert _overnight(_held(future, price=200.0)) == -10.0


@pytest.mark.fidelity(
    rule="Swap is charged three times on one day of the week, and not at the weekend.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
    setting="SymbolSpec.swap_rollover3days",
)
def test_three_nights_are_charged_on_wednesday_and_none_at_the_weekend():
    desk = _held(_spec(4))
    charged = [_overnight(desk, night) for night in range(1, 9)]
    assert np.diff([0.0, *charged]).tolist() == [-10, -10, -30, -10, -10, 0, 0, -10]


@pytest.mark.fidelity(
    rule="The multiplier of each day of the week is the broker's.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
    setting="SymbolSpec.swap_multipliers",
)
def test_every_day_may_have_a_multiplier_of_its_own():
    desk = _held(_spec(4, swap_multipliers=(0.0, 2.0, 0.5, 1.0, 1.0, 1.0, 0.0)))
    assert [_overnight(desk, 1), _overnight(desk, 2)] == [-20.0, -25.0]


@pytest.mark.fidelity(
    rule="The day before a holiday is charged with the holiday's nights, too.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
    setting="SymbolSpec.holidays",
)
def test_the_nights_of_a_holiday_are_charged_on_the_day_before():
    desk = _held(_spec(4, holidays="2024-01-03"))  # a Wednesday: Tuesday has its own night and three more
    charged = [_overnight(desk, night) for night in range(1, 5)]
    assert np.diff([0.0, *charged]).tolist() == [-10, -40, 0, -10]


def test_swap_is_charged_at_the_end_of_the_day_and_not_before():
    desk = _held(_spec(4))
    assert desk.engine.clock(MONDAY + END - 1) == []
    assert desk.engine.positions()[0].swap == 0.0
    desk.engine.clock(MONDAY + END)
    assert desk.engine.positions()[0].swap == -10.0


def test_the_end_of_the_day_is_a_setting_and_a_position_opened_after_it_waits_for_the_next():
    desk = _held(_spec(4), end_of_day="10:30")
    assert _overnight(desk) == 0.0
    desk.engine.clock(MONDAY + DAY + (10 * 3600 + 30 * 60 + 59) * SECOND)
    assert desk.engine.positions()[0].swap == -10.0


@pytest.mark.fidelity(
    rule="Swap counts in the equity at once, and in the balance when the position is closed: by its share.",
    section="4.7",
    source="MetaTrader 5 administrator help, Swaps",
)
def test_swap_moves_into_the_deal_that_closes_by_its_share():
    desk = _held(_spec(4, -10.01))
    _overnight(desk)
    assert (desk.account["balance"], desk.account["equity"]) == (100_000.0, 99_989.99)
    ticket = desk.engine.positions()[0].ticket
    desk.sell(0.4, position=ticket)
    desk.sell(0.6, position=ticket)
    assert [deal.swap for deal in desk.deals()] == [0.0, -4.0, -6.01]
    assert desk.account["balance"] == 99_989.99


def test_a_reversal_takes_the_whole_swap_and_the_new_position_starts_without():
    desk = _held(_spec(4), margin_mode="netting")
    assert _overnight(desk) == -10.0
    outcome = desk.sell(3.0)
    (deal,) = [change.deal for change in outcome.changes if isinstance(change, DealChange)]
    (position,) = desk.engine.positions()
    assert (deal.swap, position.swap, position.volume, desk.account["profit"]) == (-10.0, 0.0, 2.0, 0.0)


def test_a_short_position_has_its_own_swap():
    assert _overnight(_held(_spec(4), SELL)) == 4.0


def test_a_symbol_without_swaps_and_an_empty_account_have_no_end_of_the_day():
    desk = Desk(_spec(0))
    desk.quote(1.1)
    desk.buy(0.1)
    times = desk.now + DAY * np.arange(1, 11, dtype=np.int64)
    prices = np.full(10, 1.1)
    assert desk.engine.next_event("EURUSD", times, prices, prices) == 10


def test_the_first_quote_after_the_end_of_the_day_is_an_event():
    desk = _held(_spec(4))
    times = MONDAY + END + SECOND * np.arange(-5, 5, dtype=np.int64)
    prices = np.full(10, 1.1)
    assert desk.engine.next_event("EURUSD", times, prices, prices) == 5


def test_a_swap_may_stop_out_at_the_next_tick():
    desk = _held(_spec(4, -600.0), deposit=1_150.0)  # margin 1100, stop-out at an equity of 550
    desk.engine.clock(MONDAY + DAY)
    (change,) = desk.quote(1.1, after=DAY)
    assert isinstance(change, DealChange)
    assert (change.deal.reason, change.deal.swap, desk.account["balance"]) == (6, -600.0, 550.0)


@pytest.mark.parametrize(
    ("mode", "side", "opened"), [(7, BUY, 1.1021), (7, SELL, 1.10196), (8, BUY, 1.1021), (8, SELL, 1.09996)]
)
@pytest.mark.fidelity(
    rule="Rollover by reopening: the position is closed at the market and opened anew, worse or better by the "
    "swap's points, in two deals with the reason ROLLOVER, under the same ticket.",
    section="4.7",
    source="MQL5 docs, ENUM_SYMBOL_SWAP_MODE; administrator help, Swaps",
)
def test_a_position_may_be_rolled_over_by_reopening_it(mode, side, opened):
    spec = _spec(mode, -10.0, -4.0)
    desk = Desk(spec, deposit=100_000.0)
    desk.quote(1.1)
    ticket = desk.trade(DEAL, type=side, volume=0.1, client_id="mine", sl=1.0 if side == BUY else 1.2).result.order
    desk.quote(1.102, 1.102) if side == BUY else desk.quote(1.1, 1.102)
    changes = desk.engine.clock(MONDAY + DAY)
    closed, again = (change.deal for change in changes if isinstance(change, DealChange))
    assert (closed.entry, again.entry, closed.reason, again.reason) == (1, 0, 7, 7)
    assert (closed.type, again.type, closed.price) == (1 - side, side, 1.102)
    (position,) = desk.engine.positions()
    assert (position.ticket, position.price_open, position.volume, position.sl) == (
        ticket, opened, 0.1, 1.0 if side == BUY else 1.2,
    )  # fmt: skip
    assert closed.profit == (20.0 if side == BUY else -20.0)
    assert [change.order.client_id for change in changes] == ["mine", "mine"]
    assert [deal.order for deal in (closed, again)] == [0, 0]


def test_a_position_whose_swap_could_not_be_converted_is_not_opened():
    spec = _spec(2, name="THING", currency_base="XYZ", currency_profit="GBP", currency_margin="GBP")
    for mode, retcode in ((2, 10021), (5, 10021), (4, 10009)):
        desk = Desk(replace(spec, swap_mode=mode), currency="EUR", deposit=100_000.0)
        desk.quote(0.88, symbol="EURGBP")
        desk.quote(1.1)
        assert desk.buy(0.1).result.retcode == retcode


def test_held_symbols_keep_currencies_that_can_be_converted():
    """A swap that could not be converted at the end of the day would stop everything."""
    desk = Desk(_spec(4))
    desk.quote(1.1)
    desk.place(2, 1.0)
    for wrong in (_spec(3, currency_margin="CHF"), _spec(4, currency_profit="CHF")):
        with pytest.raises(InvalidField, match="CHF"):
            desk.engine.change_symbol(wrong)
    desk.buy(0.1)
    with pytest.raises(InvalidField, match="CHF"):
        desk.engine.change_symbol(_spec(3, currency_margin="CHF"))
    desk.quote(0.9, symbol="USDCHF")
    desk.engine.change_symbol(_spec(3, -9.0, currency_margin="CHF"))
    desk.quote(1.1, after=DAY)
    assert desk.engine.positions()[0].swap == -1.0  # 0.1 lots * 9 CHF / 0.9


def test_a_held_symbol_that_is_no_longer_the_pair_itself_converts_through_the_pair():
    spec = _spec(0, name="THING", calc_mode=2, contract_size=1.0)
    desk = Desk(spec)
    desk.quote(100.0)
    desk.quote(2.0, symbol="EURUSD")
    desk.buy(1.0)
    assert desk.account["margin"] == 10_000.0
    desk.engine.change_symbol(replace(spec, currency_base="XYZ"))
    assert desk.account["margin"] == 200.0
