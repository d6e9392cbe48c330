"""Time in the trade server: sessions, holidays, the life of a contract, stale quotes, and the rate of requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mas_router.errors import InvalidField
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY,
    BUY_LIMIT,
    CLOSE_BY,
    DAY,
    DEAL,
    MODIFY,
    MONDAY,
    NOON,
    PENDING,
    REMOVE,
    SECOND,
    SELL,
    SLTP,
    Desk,
    deals,
    whys,
)

EURUSD = SYMBOLS["EURUSD"]
HOUR = 3_600 * SECOND
#: Open until one hour after noon on each day, and again an hour later.
PAUSED = replace(EURUSD, sessions_trade="Mon-Sun 00:00-13:00, 14:00-24:00")


def _desk(spec: SymbolSpec = EURUSD, **account: Any) -> Desk:
    desk = Desk(spec, **account)
    desk.quote(1.1, 1.1002)
    return desk


def _everything(desk: Desk) -> list[int]:
    """The answer to one request of each action, all of which pass while the market is open."""
    first, second = desk.buy(0.2).result.order, desk.sell(0.1).result.order
    order = desk.place(BUY_LIMIT, 1.05).result.order
    desk.now = MONDAY + 13 * HOUR + 60 * SECOND
    requests: list[tuple[int, dict[str, Any]]] = [
        (DEAL, {"type": BUY, "volume": 0.1}),
        (DEAL, {"type": SELL, "volume": 0.1, "position": first}),
        (PENDING, {"type": BUY_LIMIT, "volume": 0.1, "price": 1.05, "type_filling": 2}),
        (SLTP, {"position": first, "sl": 1.05}),
        (MODIFY, {"order": order, "price": 1.06}),
        (CLOSE_BY, {"position": first, "position_by": second}),
        (REMOVE, {"order": order}),
    ]
    return [desk.trade(action, **fields).result.retcode for action, fields in requests]


@pytest.mark.fidelity(
    rule="Outside the trade sessions every request is refused, though quotes may come.",
    section="2.11",
    source="MetaTrader 5 administrator help, Sessions",
    setting="SymbolSpec.sessions_trade",
)
def test_outside_the_trade_sessions_every_action_is_refused():
    assert _everything(_desk(PAUSED)) == [10018] * 7
    assert _everything(_desk()) == [10009] * 7


@pytest.mark.fidelity(
    rule="A level that is reached while the market is closed is kept, and fires at the first quote when it is open.",
    section="2.2",
    source="MetaTrader 5 help, Trading Principles",
    setting="SymbolSpec.sessions_trade",
)
def test_levels_and_pending_orders_wait_for_the_market_to_open():
    desk = _desk(PAUSED)
    desk.buy(0.1, sl=1.09)
    desk.place(BUY_LIMIT, 1.095)
    desk.now = MONDAY + 13 * HOUR
    assert desk.quote(1.08, 1.0802) == []
    assert len(desk.engine.positions()) == len(desk.engine.orders()) == 1
    desk.now = MONDAY + 14 * HOUR
    changes = desk.quote(1.085, 1.0852)
    assert whys(changes) == ["deal", "filled", "deal"]
    assert [(d.reason, d.price) for d in deals(changes)] == [(4, 1.085), (3, 1.095)]


def test_a_level_that_the_market_left_again_before_it_opened_does_not_fire():
    desk = _desk(PAUSED)
    desk.buy(0.1, sl=1.09)
    desk.now = MONDAY + 13 * HOUR
    desk.quote(1.08)
    desk.now = MONDAY + 14 * HOUR
    assert desk.quote(1.1) == []


def test_pending_orders_expire_while_the_market_is_closed():
    desk = _desk(PAUSED)
    desk.place(BUY_LIMIT, 1.05, type_time=2, expiration=(MONDAY + 13 * HOUR) // SECOND + 600)
    assert whys(desk.engine.clock(MONDAY + 13 * HOUR + 700 * SECOND)) == ["expired"]


@pytest.mark.fidelity(
    rule="On a holiday the market is closed, in some hours or all day.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
    setting="SymbolSpec.holidays",
)
def test_a_holiday_closes_the_market():
    assert _desk(replace(EURUSD, holidays="2024-01-01")).buy(0.1).result.retcode == 10018
    assert _desk(replace(EURUSD, holidays="2024-01-01 11:00-13:00")).buy(0.1).result.retcode == 10009
    assert _desk(replace(EURUSD, holidays="2024-01-02")).buy(0.1).result.retcode == 10009


@pytest.mark.fidelity(
    rule="Outside the server's working hours, as in the pause at the end of the day, nothing is traded.",
    section="2.1",
    source="MetaTrader 5 administrator help, Trade Server",
    setting="AccountSpec.server_hours",
)
def test_the_pause_at_the_end_of_the_day_closes_every_symbol():
    desk = _desk(server_hours="Mon-Sun 00:01-23:59")
    assert desk.buy(0.1).result.retcode == 10009
    for minutes, code in ((-1, 10018), (0, 10018), (1, 10009)):
        desk.now = MONDAY + DAY + minutes * 60 * SECOND
        assert desk.buy(0.1).result.retcode == code


@pytest.mark.fidelity(
    rule="Before a contract starts and after it expires it is not traded.",
    section="2.1",
    source="MQL5 docs, SYMBOL_START_TIME and SYMBOL_EXPIRATION_TIME",
    setting="SymbolSpec.start_time, SymbolSpec.expiration_time",
)
@pytest.mark.parametrize(
    ("start", "end", "retcode"), [(0, 0, 10009), (60, 0, 10018), (0, -60, 10018), (-60, 60, 10009)]
)
def test_a_contract_is_traded_between_its_first_and_its_last_moment(start, end, retcode):
    noon = NOON // SECOND
    spec = replace(EURUSD, start_time=start and noon + start, expiration_time=end and noon + end)
    assert _desk(spec).buy(0.1).result.retcode == retcode


@pytest.mark.fidelity(
    rule="A quote that is too old is no price.",
    section="2.1",
    source="MetaTrader 5 server API, Request Processing on the Server",
    setting="SymbolSpec.quote_max_delay",
)
def test_stale_quotes_are_no_prices():
    desk = _desk(replace(EURUSD, quote_max_delay=30.0))
    desk.now += 30 * SECOND
    assert desk.buy(0.1).result.retcode == 10009
    desk.now += SECOND
    assert desk.buy(0.1).result.retcode == 10021
    desk.quote(1.1)
    assert desk.buy(0.1).result.retcode == 10009


@pytest.mark.fidelity(
    rule="Outside its quote sessions a symbol is not quoted.",
    section="2.11",
    source="MetaTrader 5 administrator help, Sessions",
    setting="SymbolSpec.sessions_quote",
)
def test_a_quote_outside_the_quote_sessions_is_thrown_away():
    desk = _desk(replace(EURUSD, sessions_quote="Mon 00:00-13:00"))
    desk.buy(0.1, sl=1.09)
    before = desk.engine.last_quote("EURUSD")
    desk.now = MONDAY + 13 * HOUR
    assert desk.quote(1.0) == []
    assert desk.engine.last_quote("EURUSD") == before
    desk.now = MONDAY + 7 * DAY
    assert whys(desk.quote(1.0)) == ["deal"]


def test_the_last_quote_of_a_session_is_an_event_and_the_rows_after_it_are_not():
    desk = _desk(replace(EURUSD, sessions_quote="Mon 00:00-13:00, 14:00-15:00"))
    times = NOON + 600 * SECOND * np.arange(1, 25, dtype=np.int64)
    bids = np.full(24, 1.1)
    assert desk.engine.next_event("EURUSD", times, bids, bids) == 4  # 12:50
    desk.place(BUY_LIMIT, 1.05)
    assert desk.engine.next_event("EURUSD", times[5:], bids[5:], bids[5:]) == 11  # 14:50
    bids[7] = bids[13] = 1.0  # 13:20, when nobody sees it, and 14:20
    assert desk.engine.next_event("EURUSD", times[5:], bids[5:], bids[5:]) == 8
    assert desk.engine.next_event("EURUSD", times[17:], bids[17:], bids[17:]) == 7


@pytest.mark.fidelity(
    rule="More requests in a second than the server takes are refused.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
    setting="AccountSpec.requests_per_second",
)
def test_too_many_requests_in_a_second_are_refused_until_the_second_is_over():
    desk = _desk(requests_per_second=2)
    assert [desk.buy(0.1).result.retcode for _ in range(3)] == [10009, 10009, 10024]
    assert desk.trade(99).result.retcode == 10024
    desk.now += SECOND - 1
    assert desk.buy(0.1).result.retcode == 10024
    desk.now += 1
    assert desk.buy(0.1).result.retcode == 10009


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: replace(EURUSD, sessions_trade="always"), "sessions_trade"),
        (lambda: replace(EURUSD, sessions_quote="Mon"), "sessions_quote"),
        (lambda: replace(EURUSD, holidays="yesterday"), "holidays"),
        (lambda: replace(EURUSD, liquidity=-1.0), "liquidity"),
        (lambda: AccountSpec(server_hours="nine to five"), "server_hours"),
        (lambda: AccountSpec(near_pending_retcode=10014), "near_pending_retcode"),  # type: ignore[arg-type]
        (lambda: AccountSpec(filling_rules="mine"), "filling_rules"),  # type: ignore[arg-type]
    ],
)
def test_a_setting_that_cannot_be_read_is_an_error_that_names_it(make, field):
    with pytest.raises(InvalidField, match=field):
        make()


def test_settings_that_the_broker_changes_count_from_then_on():
    desk = _desk()
    ticket = desk.buy(0.1).result.order
    versions = [desk.engine.version]
    desk.engine.change_symbol(replace(EURUSD, trade_mode=3))
    versions.append(desk.engine.version)
    assert desk.buy(0.1).result.retcode == 10044
    assert desk.sell(0.1, position=ticket).result.retcode == 10009
    versions.append(desk.engine.version)
    desk.engine.change_account(AccountSpec(read_only=True))
    versions.append(desk.engine.version)
    assert len({*versions}) == 4  # so nobody goes on with a horizon from before
    assert desk.buy(0.1).result.retcode == 10044
    desk.engine.change_symbol(EURUSD)
    assert desk.buy(0.1).result.retcode == 10017
    assert desk.engine.account_row()["trade_allowed"] is False
    with pytest.raises(InvalidField, match="currency"):
        desk.engine.change_account(AccountSpec(currency="EUR"))
    with pytest.raises(InvalidField, match="symbol"):
        desk.engine.change_symbol(SYMBOLS["GBPUSD"])
