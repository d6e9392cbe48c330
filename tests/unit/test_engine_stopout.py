"""The stop-out: when it comes, and what it closes in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sim_worker.engine import DealChange, OrderChange
from sim_worker.specs import SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import BUY, BUY_LIMIT, DEAL, SECOND, SELL, Desk, deals, whys

EURUSD = SYMBOLS["EURUSD"]
FULL = replace(EURUSD, margin_rates=(1.0,) * 8)


def _desk(*specs: SymbolSpec, price: float = 1.1, **account: Any) -> Desk:
    desk = Desk(*specs, **account)
    desk.quote(price)
    return desk


@pytest.mark.fidelity(
    rule="A margin call is a warning: opening stays allowed.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.margin_call",
)
def test_opening_stays_allowed_after_a_margin_call():
    desk = _desk(deposit=2000.0, margin_call=200.0)
    desk.buy(1.0)
    desk.quote(1.0995)
    assert desk.account["margin_level"] < 200.0
    assert desk.buy(0.1).result.retcode == 10009


@pytest.mark.fidelity(
    rule="The stop-out may be an amount of equity instead of a margin level.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.stop_out_mode",
)
def test_the_stop_out_may_be_an_amount_of_money():
    desk = _desk(deposit=2000.0, stop_out=1500.0, stop_out_mode="money")
    desk.buy(1.0)
    assert desk.account["margin_so_mode"] == 1
    assert desk.quote(1.09501) == []
    assert [deal.reason for deal in deals(desk.quote(1.095))] == [6]


@pytest.mark.fidelity(
    rule="First the pending order that reserves most is deleted, then the next; orders that reserve nothing stay.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
)
def test_pending_orders_go_first_the_one_with_the_largest_margin_before_the_others():
    desk = _desk(replace(FULL, margin_rates=(1, 1, 1, 1, 0, 0, 0, 0)), deposit=4000.0)
    desk.buy(1.0)
    small = desk.place(BUY_LIMIT, 0.9, 0.5, client_id="small").result.order
    large = desk.place(BUY_LIMIT, 0.8, 2.0, client_id="large").result.order
    free = desk.place(4, 1.3, 5.0).result.order
    (change,) = desk.quote(1.0757)  # margin 1100 + 450 + 1600: the stop-out is at an equity of 1575
    assert isinstance(change, OrderChange)
    assert (change.order.ticket, change.order.state, change.why, change.order.client_id) == (
        large,
        2,
        "dropped",
        "large",
    )
    assert change.message.startswith("stop-out [so ")
    assert [order.ticket for order in desk.engine.orders()] == [small, free]
    assert whys(desk.quote(1.0677)) == ["dropped"]
    assert [order.ticket for order in desk.engine.orders()] == [free]
    assert len(desk.engine.positions()) == 1


def test_orders_alone_may_be_stopped_out_when_their_conversion_moves():
    spec = replace(SYMBOLS["EURGBP"], margin_rates=(1.0,) * 8)
    desk = Desk(spec, deposit=1200.0, stop_out=100.0)
    for name, price in (("EURUSD", 1.1), ("GBPUSD", 1.25), ("EURGBP", 0.88)):
        desk.quote(price, symbol=name)
    desk.place(BUY_LIMIT, 0.8, 1.0)
    assert desk.account["margin"] == 1100.0
    assert "EURUSD" in desk.engine.active_symbols()
    assert desk.quote(1.19, symbol="EURUSD") == []
    assert whys(desk.quote(1.2, symbol="EURUSD")) == ["dropped"]


@pytest.mark.fidelity(
    rule="When all positions win, the one with the smallest profit is closed; swap does not count.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
)
def test_the_smallest_profit_closes_when_all_of_them_win():
    desk = _desk(deposit=2100.0, stop_out=200.0)
    desk.buy(0.5)
    desk.quote(1.101)
    second = desk.buy(0.5).result.order
    # Margin 1100.50: equity must be above 2201; both win at 1.10105, by 52.50 and 2.50.
    (change,) = desk.quote(1.10105)
    assert isinstance(change, DealChange)
    assert change.deal.position_id == second


@pytest.mark.fidelity(
    rule="With FIFO the oldest losing position of a symbol is closed, though another one loses more.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.fifo_close",
)
def test_first_in_first_out_takes_the_oldest_losing_position():
    for fifo, chosen in ((True, 0), (False, 1)):
        desk = _desk(deposit=1100.0, fifo_close=fifo)
        tickets = [desk.buy(0.2).result.order]
        desk.quote(1.11)
        tickets.append(desk.buy(0.6).result.order)
        first = desk.quote(1.0985)[0]
        assert isinstance(first, DealChange)
        assert first.deal.position_id == tickets[chosen]


@pytest.mark.fidelity(
    rule="A position whose market is closed is passed over.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="SymbolSpec.sessions_trade",
)
def test_a_closed_market_is_passed_over():
    closed = replace(SYMBOLS["GBPUSD"], sessions_trade="Mon 00:00-12:01")
    desk = Desk(closed, deposit=2500.0)
    desk.quote(1.1, symbol="EURUSD")
    desk.quote(1.25, symbol="GBPUSD")
    worse = desk.buy(1.0, symbol="GBPUSD").result.order
    other = desk.buy(0.2, symbol="EURUSD").result.order
    # Margin 1470, so the stop-out is at an equity of 735; without the smaller position it is at 625.
    made = deals(desk.quote(1.232, symbol="GBPUSD", after=3600 * SECOND))
    assert [deal.position_id for deal in made] == [other]
    assert [position.ticket for position in desk.engine.positions()] == [worse]
    assert desk.quote(1.2, symbol="GBPUSD") == []


@pytest.mark.parametrize(("trade_mode", "volumes"), [(2, [5.0, 5.0, 2.0]), (0, [12.0])])
@pytest.mark.fidelity(
    rule="A netting position of a real account is closed in parts of at most the largest volume, on a demo "
    "account at once.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.trade_mode",
)
def test_a_real_netting_position_closes_in_parts(trade_mode, volumes):
    desk = _desk(
        replace(EURUSD, volume_max=5.0), deposit=15_000.0, margin_mode="netting", trade_mode=trade_mode, stop_out=99.0
    )
    for volume in (5.0, 5.0, 2.0):
        desk.buy(volume)
    made = deals(desk.quote(1.05))
    assert [deal.volume for deal in made] == volumes
    assert {deal.position_id for deal in made} == {made[0].position_id}


def _covered(**account: Any) -> Desk:
    desk = _desk(replace(EURUSD, margin_hedged=0.0), deposit=1000.0, **account)
    desk.buy(0.5)
    desk.sell(0.5)
    return desk


@pytest.mark.parametrize(("option", "closed"), [(False, 0), (True, 2)])
@pytest.mark.fidelity(
    rule="Positions that cover each other without margin are stopped out below an equity of 0 only if the "
    "group says so.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.stop_out_hedged",
)
def test_covered_positions_are_left_alone_unless_the_group_says_otherwise(option, closed):
    desk = _covered(stop_out_hedged=option)
    assert desk.quote(1.1, 1.1199) == []
    changes = desk.quote(1.1, 1.1201)  # the spread takes more than the balance
    assert len(deals(changes)) == closed


@pytest.mark.fidelity(
    rule="A balance that a stop-out left negative may be made 0 by a deal 'so compensation'.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.compensate_negative",
)
def test_a_negative_balance_may_be_compensated():
    desk = _desk(deposit=1200.0, compensate_negative=True)
    desk.buy(1.0)
    desk.quote(1.08)
    assert desk.account["balance"] == 0.0
    last = desk.engine.deals()[-1]
    assert (last.type, last.profit, last.comment) == (2, 800.0, "so compensation")
    plain = _desk(deposit=1200.0)
    plain.buy(1.0)
    plain.quote(1.08)
    assert plain.account["balance"] == -800.0


def test_a_stop_loss_below_zero_is_not_compensated():
    desk = _desk(deposit=1200.0, compensate_negative=True)
    desk.trade(DEAL, type=BUY, volume=1.0, sl=1.09)
    desk.quote(1.08)
    assert desk.account["balance"] == -800.0


@pytest.mark.fidelity(
    rule="The stop-out is marked on order and deal by its reason and by a comment with level, equity and margin.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups; MQL5 docs, ENUM_DEAL_REASON",
)
def test_a_stop_out_is_marked():
    desk = _desk(deposit=1200.0)
    desk.trade(DEAL, type=SELL, volume=1.0)
    (deal,) = deals(desk.quote(1.108))
    order = desk.engine.history_orders()[-1]
    assert (deal.reason, order.reason, deal.comment, order.comment) == (6, 6, *["[so 36.36%/400.00/1100.00]"] * 2)
