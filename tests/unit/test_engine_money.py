"""Balance, equity, margin, conversion, commission, the free-margin check and the stop-out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mas_router.messages import TradeRequest
from sim_worker.charges import Commission
from sim_worker.engine import DealChange, Engine
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import BUY, BUY_LIMIT, CLOSE_BY, DEAL, PENDING, SELL, Desk, deals

EURUSD = SYMBOLS["EURUSD"]


# ---- profit and conversion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opened", "lots", "profit"), [(76.239, 1.0, 238.15), (75.750, 1.0, 878.03), (74.721, 2.0, 4449.04)]
)
@pytest.mark.fidelity(
    rule="USDRUB on a USD account, closed at 76.421: profit converts at the price of the deal.",
    section="4.2",
    source="MQL5 Programming for Traders, Selecting deals from history",
)
def test_three_real_closes_convert_at_the_price_of_the_deal(opened, lots, profit):
    """Closes of a USDRUB-like symbol at 76.421 on a USD account."""
    rouble = SymbolSpec("USDRUB", digits=3, currency_base="USD", currency_profit="RUB", currency_margin="USD")
    desk = Desk(rouble, deposit=100_000.0)
    desk.quote(opened)
    ticket = desk.buy(lots).result.order
    desk.quote(76.421, 76.5)
    (deal,) = deals(desk.sell(lots, position=ticket).changes)
    assert deal.profit == profit
    assert desk.engine.calc_profit(BUY, "USDRUB", lots, opened, 76.421) == profit


def _cross(**account: Any) -> Desk:
    desk = Desk(symbol="EURGBP", **account)
    desk.quote(1.25, 1.26, symbol="GBPUSD")
    desk.quote(1.10, 1.11, symbol="EURUSD")
    desk.quote(0.85, 0.8501)
    return desk


@pytest.mark.parametrize(
    ("side", "closed", "rate"), [(BUY, 0.8601, 1.26), (BUY, 0.84, 1.26), (SELL, 0.84, 1.25), (SELL, 0.86, 1.25)]
)
@pytest.mark.fidelity(
    rule="Forex profit converts at the ask when a long is closed and at the bid when a short is, whatever its sign.",
    section="4.2",
    source="MetaTrader 5 administrator help, Profit Calculation",
    setting="SymbolSpec.conversion",
)
def test_forex_converts_closed_longs_at_the_ask_and_shorts_at_the_bid_whatever_the_sign(side, closed, rate):
    desk = _cross()
    ticket = desk.trade(DEAL, type=side, volume=0.1).result.order
    desk.quote(closed)
    (deal,) = deals(desk.trade(DEAL, type=1 - side, volume=0.1, position=ticket).changes)
    pounds = (closed - 0.8501) * 10_000 if side == BUY else (0.85 - closed) * 10_000
    assert deal.profit == pytest.approx(pounds * rate, abs=0.0051)


@pytest.mark.fidelity(
    rule="Outside Forex, profit converts at the bid and loss at the ask.",
    section="4.2",
    source="MetaTrader 5 administrator help, Profit Calculation",
    setting="SymbolSpec.conversion",
)
def test_outside_forex_profit_converts_at_the_bid_and_loss_at_the_ask():
    desk = Desk(symbol="XAUUSD", currency="EUR")
    desk.quote(1.0, 1.25, symbol="EURUSD")  # USD -> EUR: bid 1/1.25, ask 1/1.0
    desk.quote(2000.0)
    assert desk.engine.calc_profit(BUY, "XAUUSD", 0.1, 2000.0, 2010.0) == 80.0
    assert desk.engine.calc_profit(BUY, "XAUUSD", 0.1, 2000.0, 1990.0) == -100.0


@pytest.mark.fidelity(
    rule="Through an inverse pair, the ask is one over its bid, and the bid one over its ask.",
    section="4.2",
    source="MetaTrader 5 administrator help, Conversion",
)
def test_an_inverse_pair_converts_with_bid_and_ask_exchanged():
    desk = Desk(symbol="AUDJPY")
    desk.quote(150.0, 151.0, symbol="USDJPY")
    desk.quote(0.65, symbol="AUDUSD")
    assert desk.quote(99.0) == []
    assert desk.engine.calc_profit(BUY, "AUDJPY", 1.0, 99.0, 100.0) == 666.67  # ask(JPYUSD) = 1/150
    assert desk.engine.calc_profit(SELL, "AUDJPY", 1.0, 100.0, 99.0) == 662.25  # bid = 1/151


@pytest.mark.fidelity(
    rule="Without a direct pair, money converts through USD.",
    section="4.2",
    source="MetaTrader 5 administrator help, Conversion",
)
def test_two_legs_through_the_dollar_are_used_when_there_is_no_direct_pair():
    desk = Desk(symbol="EURGBP", currency="CAD")
    desk.quote(1.25, symbol="GBPUSD")
    desk.quote(1.40, symbol="USDCAD")
    desk.quote(1.10, symbol="EURUSD")
    desk.quote(0.85)
    assert desk.engine.calc_profit(BUY, "EURGBP", 1.0, 0.85, 0.86) == 1750.0
    desk.quote(1.70, symbol="GBPCAD")  # now there is a direct pair
    assert desk.engine.calc_profit(BUY, "EURGBP", 1.0, 0.85, 0.86) == 1700.0


@pytest.mark.fidelity(
    rule="Of several pairs the one with the symbol's suffix converts.",
    section="4.2",
    source="MetaTrader 5 administrator help, Conversion",
)
def test_the_pair_with_the_symbols_suffix_converts_before_the_plain_one():
    desk = Desk(symbol="EURGBP.x")
    for name, price in (("GBPUSD", 1.5), ("GBPUSD.x", 1.25), ("EURUSD.x", 1.1)):
        desk.quote(price, symbol=name)
    assert desk.engine.calc_profit(BUY, "EURGBP.x", 1.0, 0.85, 0.86) == 1250.0


def test_without_a_rate_or_a_symbol_nothing_is_calculated():
    engine = Desk().engine
    assert engine.calc_profit(BUY, "EURGBP", 1.0, 0.85, 0.86) is None
    assert engine.calc_margin(BUY, "EURGBP", 1.0, 0.85) is None
    assert engine.calc_margin(BUY, "NOSUCH", 1.0, 1.0) is None
    assert engine.calc_profit(BUY, "NOSUCH", 1.0, 1.0, 1.0) is None


# ---- margin ----------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="1 lot EURUSD at 1:100 and 1.2790 needs 1279.00 USD, with a margin rate of 1.15 1470.85.",
    section="4.3",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
)
def test_margin_of_the_pair_itself_converts_at_the_price_and_takes_the_rate_of_the_type():
    """1 lot EURUSD at 1:100 and 1.2790 takes 1279.00 USD, at a margin rate of 1.15 1470.85."""
    assert Desk().engine.calc_margin(BUY, "EURUSD", 1.0, 1.2790) == 1279.0
    desk = Desk(replace(EURUSD, margin_rates=(1.15, 1.0, *[0.0] * 6)))
    assert desk.engine.calc_margin(BUY, "EURUSD", 1.0, 1.2790) == 1470.85


@pytest.mark.fidelity(
    rule="Margin converts at the ask for buying and at the bid for selling.",
    section="4.3",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
)
def test_margin_of_a_cross_converts_at_the_ask_for_buys_and_the_bid_for_sells():
    engine = _cross().engine
    assert engine.calc_margin(BUY, "EURGBP", 1.0, 0.85) == 1110.0
    assert engine.calc_margin(SELL, "EURGBP", 1.0, 0.85) == 1100.0


@pytest.mark.fidelity(
    rule="Sell 3 x 1 at 1.11943, buy 2 x 1 at 1.11953, rates 2 and 4, leverage 500: a margin of 2238.90.",
    section="4.5",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
)
def test_hedged_positions_take_the_margin_of_the_terminals_help_page():
    """Sell 3 x 1 @1.11943, buy 2 x 1 @1.11953, rates 2 and 4, leverage 500: 1343.36 + 895.54."""
    desk = Desk(replace(EURUSD, margin_rates=(2.0, 4.0, *[0.0] * 6)), leverage=500, deposit=100_000.0)
    desk.quote(1.11943)
    for _ in range(3):
        desk.sell(1.0)
    desk.quote(1.11953)
    for _ in range(2):
        desk.buy(1.0)
    assert desk.account["margin"] == 2238.90


@pytest.mark.fidelity(
    rule="Covered volume may be free, or the larger leg may be all that counts.",
    section="4.5",
    source="MetaTrader 5 help, Margin Calculation: Retail Forex, Futures",
    setting="SymbolSpec.margin_hedged, SymbolSpec.margin_hedged_use_leg",
)
def test_a_hedged_volume_may_be_free_and_the_larger_leg_may_be_all_that_counts():
    for spec, expected in (
        (replace(EURUSD, margin_hedged=0.0), 110.0),
        (replace(EURUSD, margin_hedged_use_leg=True), 330.0),
    ):
        desk = Desk(spec)
        desk.quote(1.1)
        desk.buy(0.2)
        desk.sell(0.3)
        assert desk.account["margin"] == expected


def test_the_margin_of_a_cross_follows_the_pair_that_converts_it():
    desk = _cross()
    desk.buy(1.0)
    assert desk.account["margin"] == 1110.0
    desk.quote(1.20, 1.21, symbol="EURUSD")
    assert desk.account["margin"] == 1210.0


def test_netting_takes_the_margin_of_the_net_position():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1)
    desk.buy(0.3)
    desk.sell(0.2)
    assert desk.account["margin"] == 110.0


def test_the_margin_of_a_position_in_the_pair_itself_does_not_float():
    desk = Desk()
    desk.quote(1.1)
    desk.buy(1.0)
    desk.quote(1.15)
    assert desk.account["margin"] == 1100.0


# ---- the account -----------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="Balance 10000, profit -78.76, margin 1000: equity 9921.24, free margin 8921.24, level 992.12 %.",
    section="4.6",
    source="MQL5 Programming for Traders, Account financial performance",
)
def test_account_figures_follow_from_balance_profit_and_margin():
    """10000, -78.76, 1000 gives 9921.24, 8921.24, 992.12 %."""
    spec = SymbolSpec("USDXXX", digits=8, currency_base="USD", currency_profit="USD", currency_margin="USD")
    desk = Desk(spec)
    desk.quote(2.0)
    desk.buy(1.0)
    desk.quote(1.9992124)
    account = desk.account
    assert (account["profit"], account["margin"]) == (-78.76, 1000.0)
    assert (account["balance"], account["equity"], account["margin_free"]) == (10_000.0, 9921.24, 8921.24)
    assert round(account["margin_level"], 2) == 992.12


@pytest.mark.fidelity(
    rule="The margin level without margin is 0.",
    section="4.6",
    source="MQL5 Programming for Traders, Checking the validity of a planned order: OrderCheck",
)
def test_the_margin_level_without_margin_is_zero():
    assert Desk().account["margin_level"] == 0.0


def test_an_account_row_has_the_28_fields_of_the_package_in_their_order():
    row = Engine(AccountSpec(login="12345")).account_row()
    assert " ".join(row) == (
        "login trade_mode leverage limit_orders margin_so_mode trade_allowed trade_expert margin_mode currency_digits "
        "fifo_close balance credit profit equity margin margin_free margin_level margin_so_call margin_so_so "
        "margin_initial margin_maintenance assets liabilities commission_blocked name server currency company"
    )
    assert row["login"] == 12345


def test_commission_is_charged_for_each_deal_and_leaves_the_balance_at_once():
    desk = Desk(commissions=(Commission(3.5),))
    desk.quote(1.1)
    outcome = desk.buy(0.1)
    assert deals(outcome.changes)[0].commission == -0.35
    assert desk.account["balance"] == 9999.65
    desk.sell(0.1, position=outcome.result.order)
    assert desk.account["balance"] == 9999.30


# ---- free margin -----------------------------------------------------------------------------------------------------


def test_an_order_needs_its_margin_within_the_equity():
    desk = Desk(deposit=1100.0)
    desk.quote(1.1)
    assert desk.buy(1.01).result.retcode == 10019
    assert desk.buy(1.0).result.retcode == 10009
    assert desk.buy(0.01).result.retcode == 10019


def test_commission_counts_in_what_an_order_needs():
    desk = Desk(deposit=1100.0, commissions=(Commission(1.0),))
    desk.quote(1.1)
    assert desk.buy(1.0).result.retcode == 10019


@pytest.mark.parametrize("mode", ["hedging", "netting"])
@pytest.mark.fidelity(
    rule="What reduces exposure is never refused for lack of money.",
    section="4.6",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
)
def test_what_reduces_exposure_passes_without_free_margin(mode):
    desk = Desk(deposit=1200.0, margin_mode=mode)
    desk.quote(1.1)
    ticket = desk.buy(1.0).result.order
    desk.quote(1.0955)
    assert desk.account["margin_free"] < 0
    assert desk.buy(0.01).result.retcode == 10019
    assert desk.sell(0.5).result.retcode == 10009
    if mode == "hedging":
        assert desk.sell(0.1, position=ticket).result.retcode == 10009


def test_closing_one_leg_of_a_hedge_is_never_refused_for_money():
    desk = Desk(replace(EURUSD, margin_hedged=0.0), deposit=600.0)
    desk.quote(1.1)
    first = desk.buy(0.5).result.order
    desk.sell(0.5)
    desk.buy(0.01)
    desk.quote(1.1, 1.109)  # the spread costs 450: too little is left for an open position of 0.5 lots
    assert desk.sell(0.5, position=first).result.retcode == 10009
    assert desk.account["margin_free"] < 0


@pytest.mark.fidelity(
    rule="Netting: an opposite order larger than the position needs the larger of both margins.",
    section="4.4",
    source="MetaTrader 5 help, Margin Calculation: Exchange Model",
)
def test_a_netting_reversal_needs_the_margin_of_the_whole_order():
    desk = Desk(deposit=2000.0, margin_mode="netting")
    desk.quote(1.0)
    desk.buy(1.0)
    assert desk.sell(2.01).result.retcode == 10019
    assert desk.sell(2.0).result.retcode == 10009
    assert desk.account["margin"] == 1000.0


@pytest.mark.fidelity(
    rule="order_check of gold 0.01 at 1899.97 and an equity of 15565.22: margin 19.00, free margin 15546.22, "
    "level 81922.21 %.",
    section="4.6",
    source="MQL5 Programming for Traders, Checking the validity of a planned order: OrderCheck",
)
def test_order_check_tells_what_the_account_would_be_and_changes_nothing():
    """Gold 0.01 @1899.97 at equity 15565.22 takes 19.00 and leaves 15546.22, a level of 81922.21 %."""
    desk = Desk(symbol="XAUUSD", deposit=15_565.22)
    desk.quote(1899.7, 1899.97)
    request = TradeRequest(action=DEAL, symbol="XAUUSD", type=BUY, volume=0.01)
    row = desk.engine.check(request, desk.now)
    assert (row["retcode"], row["comment"]) == (0, "Done")
    assert (row["margin"], row["margin_free"], row["equity"]) == (19.0, 15_546.22, 15_565.22)
    assert round(row["margin_level"], 2) == 81_922.21
    assert " ".join(row) == "retcode balance equity profit margin margin_free margin_level comment"
    assert desk.engine.positions() == []
    refused = desk.engine.check(request.model_copy(update={"volume": 0.001}), desk.now)
    assert (refused["retcode"], refused["comment"]) == (10014, "Invalid volume")


@pytest.mark.parametrize("action", [DEAL, PENDING])
def test_order_check_of_what_cannot_be_converted_says_so_and_leaves_the_money_as_it_is(action):
    desk = Desk(symbol="EURGBP")
    desk.quote(0.88, 0.8801)
    row = desk.engine.check(
        TradeRequest(action=action, symbol="EURGBP", type=BUY if action == DEAL else BUY_LIMIT, volume=0.1, price=0.8),
        desk.now,
    )
    assert (row["retcode"], row["margin"], row["margin_free"]) == (10021, 0.0, 10_000.0)


# ---- stop-out --------------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="The stop-out closes the largest loss first, one position after another, until the level is above.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
)
def test_a_stop_out_closes_the_largest_loss_first_until_the_level_is_above():
    desk = Desk(deposit=2200.0)
    desk.quote(1.12)
    worse = desk.buy(0.5, client_id="worse").result.order
    desk.quote(1.11)
    better = desk.buy(0.5, client_id="better").result.order
    # Margin 1115: the stop-out is at an equity of 557.50. Closing one leaves a margin of 555, so the other may stay.
    (change,) = desk.quote(1.0985)
    assert isinstance(change, DealChange)
    assert (change.deal.position_id, change.deal.reason, change.order.client_id) == (worse, 6, "worse")
    assert change.deal.comment == "[so 49.33%/550.00/1115.00]"
    assert [p.ticket for p in desk.engine.positions()] == [better]


@pytest.mark.fidelity(
    rule="The stop-out comes when the margin level falls to its level.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.stop_out",
)
def test_a_stop_out_happens_at_the_level_and_not_before():
    # 1 lot, margin 1100: the stop-out is at an equity of 550, so at a loss of 650.
    desk = Desk(deposit=1200.0)
    desk.quote(1.1)
    desk.buy(1.0)
    assert desk.quote(1.09351) == []
    assert [d.reason for d in deals(desk.quote(1.0935))] == [6]
    assert desk.account["balance"] == 550.0


def test_a_quote_of_a_conversion_symbol_can_stop_out_too():
    desk = _cross(deposit=1000.0)
    desk.buy(0.8)
    desk.quote(0.8455)
    assert desk.engine.active_symbols() == {"EURGBP", "GBPUSD", "EURUSD"}
    changes = desk.quote(1.9, symbol="GBPUSD")
    assert [d.symbol for d in deals(changes)] == ["EURGBP"]


def test_active_symbols_are_those_that_can_change_something():
    desk = Desk()
    assert desk.engine.active_symbols() == frozenset()
    desk.quote(1.1)
    assert desk.engine.active_symbols() == frozenset()
    desk.place(BUY_LIMIT, 1.05)
    assert desk.engine.active_symbols() == {"EURUSD"}


def test_a_fully_hedged_account_without_margin_is_not_stopped_out():
    desk = Desk(replace(EURUSD, margin_hedged=0.0), deposit=1100.0)
    desk.quote(1.1)
    desk.buy(0.5)
    desk.sell(0.5)
    assert desk.quote(1.2, 1.25) == []


# ---- swaps are carried -----------------------------------------------------------------------------------------------


def test_a_partial_close_takes_its_share_of_the_swap():
    desk = Desk()
    desk.quote(1.1)
    a = desk.buy(0.3).result.order
    b = desk.sell(0.1).result.order
    for ticket, swap in ((a, -3.0), (b, -0.5)):  # as a rollover will do it
        desk.engine._book.positions[ticket].swap = swap
        desk.engine._book.symbols["EURUSD"].swap += swap
    assert desk.account["equity"] == 9996.5
    (deal,) = deals(desk.sell(0.1, position=a).changes)
    assert (deal.swap, desk.account["balance"]) == (-1.0, 9999.0)
    first, second = deals(desk.trade(CLOSE_BY, position=a, position_by=b).changes)
    assert (first.swap, second.swap) == (-1.0, -0.5)
    assert (desk.account["balance"], desk.account["equity"]) == (9997.5, 9996.5)


def test_symbol_rows_have_the_tick_value_in_the_deposit_currency():
    desk = Desk()
    assert desk.engine.symbol_row("EURUSD")["trade_tick_value"] == 0.0
    desk.quote(1.1)
    assert desk.engine.symbol_row("EURUSD")["trade_tick_value"] == pytest.approx(1.0)
    assert desk.engine.symbol_row("NOSUCH") == {}


def test_a_netting_reversal_pays_the_whole_swap_once_and_adding_keeps_it():
    desk = Desk(margin_mode="netting")
    desk.quote(1.1)
    ticket = desk.buy(0.1).result.order
    desk.engine._book.positions[ticket].swap = desk.engine._book.symbols["EURUSD"].swap = -2.0
    desk.buy(0.1)
    assert desk.account["equity"] == 9998.0
    (deal,) = deals(desk.sell(0.3).changes)
    assert (deal.swap, desk.account["balance"], desk.account["equity"]) == (-2.0, 9998.0, 9998.0)
    assert desk.engine.positions()[0].swap == 0.0
