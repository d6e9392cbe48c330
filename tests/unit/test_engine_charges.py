"""Deposit, credit, commissions and fees: what the balance consists of besides the results of trading."""

from __future__ import annotations

from typing import Any

import pytest

from mas_router.errors import InvalidField
from sim_worker.charges import Commission, Tier
from sim_worker.engine import Engine
from sim_worker.records import Deal
from sim_worker.specs import AccountSpec
from tests.unit.engine_kit import CLOSE_BY, DAY, MONDAY, NOON, SECOND, Desk, deals


def _desk(*rules: Commission, symbol: str = "EURUSD", **account: Any) -> Desk:
    desk = Desk(symbol=symbol, commissions=rules, **{"deposit": 100_000.0, **account})
    desk.quote(1.1)
    return desk


def _paid(*rules: Commission, volume: float = 1.0, **account: Any) -> list[float]:
    """The commissions of opening and closing."""
    desk = _desk(*rules, **account)
    desk.sell(volume, position=desk.buy(volume).result.order)
    return [deal.commission for deal in desk.deals()]


# ---- the account -----------------------------------------------------------------------------------------------------


@pytest.mark.fidelity(
    rule="The deposit is the first deal of an account: of type BALANCE, without an order or a symbol.",
    section="2.13",
    source="MQL5 docs, ENUM_DEAL_TYPE",
)
def test_the_deposit_is_the_first_deal():
    engine = Engine(AccountSpec(deposit=250.0), opened=NOON)
    assert engine.deals() == [Deal(700_000_001, 0, NOON, "", 2, 0, 0, 0, 0.0, 0.0, 250.0, comment="deposit")]
    assert engine.account_row()["balance"] == 250.0


@pytest.mark.fidelity(
    rule="Credit is a deal of its own that counts in the equity, not in the balance.",
    section="4.8",
    source="MQL5 docs, ENUM_DEAL_TYPE, Account Properties",
    setting="AccountSpec.credit",
)
def test_credit_counts_in_the_equity_alone():
    desk = Desk(deposit=100.0, credit=1000.0)
    desk.quote(1.1)
    account = desk.account
    assert (account["balance"], account["credit"], account["equity"], account["margin_free"]) == (100, 1000, 1100, 1100)
    assert [deal.type for deal in desk.engine.deals()] == [2, 3]
    assert desk.buy(1.0).result.retcode == 10009


@pytest.mark.parametrize(
    ("mode", "winning", "losing"),
    [("all", 10_100.0, 9_900.0), ("losses", 10_000.0, 9_900.0), ("none", 10_000.0, 10_000.0)],
)
@pytest.mark.fidelity(
    rule="The free margin counts all floating profit, or only losses, or none.",
    section="4.8",
    source="MetaTrader 5 administrator help, Groups",
    setting="AccountSpec.free_margin",
)
def test_the_group_says_which_floating_profit_is_free_margin(mode, winning, losing):
    for price, free in ((1.101, winning), (1.099, losing)):
        desk = Desk(free_margin=mode)
        desk.quote(1.1)
        desk.buy(1.0)
        desk.quote(price)
        assert desk.account["margin_free"] == free - 1100.0


def test_an_order_needs_free_margin_as_the_group_counts_it():
    for mode, retcode in (("all", 10009), ("none", 10019)):
        desk = Desk(free_margin=mode, deposit=1110.0)
        desk.quote(1.1)
        desk.buy(1.0)
        desk.quote(1.102)
        assert desk.buy(0.1).result.retcode == retcode


# ---- commissions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "opening", "closing"),
    [
        (Commission(3.5), -7.0, -7.0),
        (Commission(3.5, "deal"), -3.5, -3.5),
        (Commission(30.0, "million"), -6.6, -6.6),
        (Commission(0.01, "percent"), -22.0, -22.0),
        (Commission(3.5, entry="in"), -7.0, 0.0),
        (Commission(3.5, entry="out"), 0.0, -7.0),
        (Commission(-1.0), 2.0, 2.0),
        (Commission(3.5, symbols="*JPY"), 0.0, 0.0),
        (Commission(3.5, symbols="EUR*, !EURGBP"), -7.0, -7.0),
    ],
)
@pytest.mark.fidelity(
    rule="Commission is money for each lot, each deal or each million, or a percentage; of deals in, out or both.",
    section="4.8",
    source="MetaTrader 5 administrator help, Commission Settings",
    setting="AccountSpec.commissions",
)
def test_commission_is_counted_as_its_rule_says(rule, opening, closing):
    assert _paid(rule, volume=2.0) == [opening, closing]


def test_commissions_add_up_and_leave_the_balance_at_once():
    desk = _desk(Commission(1.0), Commission(0.5, "deal"))
    desk.buy(1.0)
    assert desk.account["balance"] == 99_998.5


@pytest.mark.fidelity(
    rule="A commission may depend on the size of the deal, and have a least and a greatest amount.",
    section="4.8",
    source="MetaTrader 5 administrator help, Commission Settings",
    setting="Commission.tiers",
)
def test_commission_may_go_by_ranges_of_volume_with_bounds():
    rule = Commission(tiers=(Tier(5.0, 0.5, least=10.0), Tier(4.0, 10.0, most=50.0)))
    assert [_paid(rule, volume=lots)[0] for lots in (0.1, 0.5, 4.0, 10.0, 20.0)] == [0.0, -10.0, -20.0, -40.0, -50.0]


def test_ranges_may_be_of_money():
    rule = Commission(per="deal", sizes="money", tiers=(Tier(1.0), Tier(9.0, 110_000.0)))
    assert [_paid(rule, volume=lots)[0] for lots in (0.99, 1.0)] == [-1.0, -9.0]


@pytest.mark.fidelity(
    rule="A fee is a field of the deal beside its commission.",
    section="4.8",
    source="MQL5 docs, Deal Properties",
    setting="Commission.fee",
)
def test_a_fee_is_beside_the_commission():
    desk = _desk(Commission(1.0), Commission(0.25, "deal", fee=True))
    (deal,) = deals(desk.buy(1.0).changes)
    assert (deal.commission, deal.fee, desk.account["balance"]) == (-1.0, -0.25, 99_998.75)


@pytest.mark.parametrize(("by", "paid"), [(False, 0.0), (True, -1.0)])
@pytest.mark.fidelity(
    rule="Positions that close by each other pay no commission, unless the broker says so.",
    section="4.8",
    source="MetaTrader 5 administrator help, Commission Settings",
    setting="Commission.close_by",
)
def test_a_close_by_is_free_by_default(by, paid):
    desk = _desk(Commission(1.0, close_by=by))
    outcome = desk.trade(CLOSE_BY, position=desk.buy(1.0).result.order, position_by=desk.sell(1.0).result.order)
    assert [deal.commission for deal in deals(outcome.changes)] == [paid, paid]


def test_a_reversal_is_charged_for_its_whole_volume():
    desk = _desk(Commission(1.0, entry="out"), margin_mode="netting")
    desk.buy(1.0)
    (deal,) = deals(desk.sell(3.0).changes)
    assert deal.commission == -3.0


@pytest.mark.fidelity(
    rule="A daily commission is blocked until the end of the day, and is then a deal of the type COMMISSION_DAILY.",
    section="4.8",
    source="MQL5 docs, ENUM_DEAL_TYPE; MetaTrader 5 administrator help, Commission Settings",
    setting="Commission.charge",
)
def test_a_daily_commission_is_blocked_and_charged_at_the_end_of_the_day():
    desk = _desk(Commission(3.0, charge="daily"))
    desk.sell(1.0, position=desk.buy(1.0).result.order)
    account = desk.account
    assert (account["balance"], account["commission_blocked"], account["equity"]) == (100_000.0, -6.0, 99_994.0)
    desk.engine.clock(MONDAY + DAY - SECOND - 1)
    assert desk.account["balance"] == 100_000.0
    desk.engine.clock(MONDAY + DAY - SECOND)
    charged = desk.engine.deals()[-1]
    assert (charged.type, charged.order, charged.symbol, charged.profit) == (8, 0, "", -6.0)
    account = desk.account
    assert (account["balance"], account["commission_blocked"], account["equity"]) == (99_994.0, 0.0, 99_994.0)
    desk.engine.clock(MONDAY + 9 * DAY)
    assert desk.engine.deals()[-1] == charged


@pytest.mark.fidelity(
    rule="A monthly commission is a deal of the type COMMISSION_MONTHLY at the end of the month.",
    section="4.8",
    source="MQL5 docs, ENUM_DEAL_TYPE",
    setting="Commission.charge",
)
def test_a_monthly_commission_waits_for_the_end_of_the_month():
    desk = _desk(Commission(3.0, charge="monthly"))
    desk.buy(1.0)
    desk.engine.clock(MONDAY + 30 * DAY)
    assert (desk.account["balance"], desk.account["commission_blocked"]) == (100_000.0, -3.0)
    desk.engine.clock(MONDAY + 31 * DAY)
    assert (desk.account["balance"], desk.engine.deals()[-1].type) == (99_997.0, 9)


def test_what_is_blocked_is_no_free_margin():
    desk = _desk(Commission(100.0, "deal", charge="monthly"), deposit=1205.0)
    assert desk.buy(1.0).result.retcode == 10009
    assert desk.account["margin_free"] == 5.0
    assert desk.buy(0.01).result.retcode == 10019


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"per": "night"}, "per"),
        ({"entry": "never"}, "entry"),
        ({"charge": "yearly"}, "charge"),
        ({"sizes": "feet"}, "sizes"),
        ({"value": float("nan")}, "value"),
        ({"fee": True, "charge": "daily"}, "charge"),
    ],
)
def test_an_impossible_commission_is_refused_by_the_field_that_is_wrong(fields, named):
    with pytest.raises(InvalidField) as caught:
        Commission(**fields)
    assert caught.value.field == named
    with pytest.raises(InvalidField, match="above"):
        Tier(1.0, above=-1.0)
