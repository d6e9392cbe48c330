"""Every return code of a trade server: each is provoked here, or is named as one that this server cannot give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from mas_router.messages import TradeRequest
from mas_router.mt5 import RETCODE_TEXT, Retcode
from sim_worker.engine import OrderChange
from sim_worker.symbols import SYMBOLS
from tests.unit.engine_kit import (
    BUY,
    BUY_LIMIT,
    BUY_STOP,
    CLOSE_BY,
    DEAL,
    MODIFY,
    REMOVE,
    SELL_LIMIT,
    SLTP,
    Desk,
)

EURUSD = SYMBOLS["EURUSD"]


def _desk(account: dict[str, Any] | None = None, **symbol: Any) -> Desk:
    desk = Desk(replace(EURUSD, **symbol), **(account or {}))
    desk.quote(1.1, 1.1002)
    return desk


def _position(desk: Desk, **fields: Any) -> int:
    return desk.buy(0.2, **fields).result.order


def _requote() -> int:
    return _desk(execution=1).buy(0.1, price=1.1, deviation=1).result.retcode


def _unfilled() -> int:
    return _desk(liquidity=0.1).buy(0.2, type_filling=0).result.retcode


def _placed() -> int:
    desk = _desk(execution=3, liquidity=0.1)
    desk.buy(0.1)
    return desk.buy(0.1, type_filling=2).result.retcode


def _partly() -> int:
    return _desk(liquidity=0.1).buy(0.2, type_filling=1).result.retcode


def _own_side() -> int:
    desk = _desk()
    return desk.buy(0.1, position=_position(desk)).result.retcode


def _stale_order() -> int:
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.09).result.order
    desk.quote(1.08)
    return desk.trade(REMOVE, order=ticket).result.retcode


def _too_many() -> int:
    desk = _desk({"requests_per_second": 1})
    desk.buy(0.1)
    return desk.buy(0.1).result.retcode


def _no_changes() -> int:
    desk = _desk()
    return desk.trade(SLTP, position=_position(desk, sl=1.05), sl=1.05).result.retcode


def _no_changes_of_an_order() -> int:
    desk = _desk()
    ticket = desk.place(BUY_LIMIT, 1.05).result.order
    return desk.trade(MODIFY, order=ticket, price=1.05).result.retcode


def _frozen() -> int:
    desk = _desk(freeze_level=20)
    ticket = desk.place(BUY_LIMIT, 1.1001).result.order
    return desk.trade(REMOVE, order=ticket).result.retcode


def _second_limit() -> int:
    desk = _desk({"limit_orders": 1})
    desk.place(BUY_LIMIT, 1.05)
    return desk.place(BUY_LIMIT, 1.05).result.retcode


def _gone() -> int:
    desk = _desk()
    ticket = _position(desk)
    desk.sell(0.2, position=ticket)
    return desk.sell(0.2, position=ticket).result.retcode


def _close_too_much() -> int:
    desk = _desk()
    return desk.sell(0.3, position=_position(desk)).result.retcode


def _close_twice() -> int:
    desk = _desk(execution=3, liquidity=0.2)
    ticket = _position(desk)
    desk.engine.change_symbol(replace(EURUSD, execution=3, liquidity=0.1))
    desk.sell(0.2, position=ticket, type_filling=2)
    return desk.sell(0.1, position=ticket).result.retcode


def _second_position() -> int:
    desk = _desk({"limit_positions": 1})
    _position(desk)
    return desk.buy(0.1).result.retcode


def _rejected_activation() -> int:
    desk = _desk({"deposit": 50.0})
    desk.place(BUY_STOP, 1.105, 1.0)
    (change,) = desk.quote(1.106)
    assert isinstance(change, OrderChange)
    return change.retcode


def _younger_first() -> int:
    desk = _desk({"fifo_close": True})
    _position(desk)
    return desk.sell(0.2, position=_position(desk)).result.retcode


def _hedge() -> int:
    desk = _desk({"hedge_allowed": False})
    _position(desk)
    return desk.place(SELL_LIMIT, 1.2).result.retcode


def _close_by_netting() -> int:
    desk = _desk({"margin_mode": "netting"})
    ticket = _position(desk)
    return desk.trade(CLOSE_BY, position=ticket, position_by=ticket).result.retcode


def _expired_contract() -> int:
    return _desk(expiration_time=1_704_067_200).buy(0.1).result.retcode


PROVOKED: Final[list[tuple[int, str, Callable[[], int]]]] = [
    (10004, "the price moved", _requote),
    (10004, "a pending type in a deal", lambda: _desk().trade(DEAL, type=BUY_LIMIT, volume=0.1).result.retcode),
    (10006, "fill or kill without the volume", _unfilled),
    (10008, "it waits for volume", _placed),
    (10009, "done", lambda: _desk().buy(0.1).result.retcode),
    (10010, "a part was executed", _partly),
    (10013, "no such action", lambda: _desk().trade(0).result.retcode),
    (10013, "no such symbol", lambda: _desk().buy(0.1, symbol="NOSUCH").result.retcode),
    (10013, "a close on the position's own side", _own_side),
    (10013, "an order that never was", lambda: _desk().trade(REMOVE, order=5).result.retcode),
    (10014, "below the minimum", lambda: _desk().buy(0.001).result.retcode),
    (10014, "above the maximum", lambda: _desk().buy(1000.0).result.retcode),
    (10014, "off the step", lambda: _desk().buy(0.015).result.retcode),
    (10015, "a pending order on the wrong side", lambda: _desk().place(BUY_LIMIT, 1.2).result.retcode),
    (10015, "no price in instant execution", lambda: _desk(execution=1).buy(0.1).result.retcode),
    (10015, "off the grid", lambda: _desk(execution=1).buy(0.1, price=1.100201).result.retcode),
    (10016, "a stop loss on the wrong side", lambda: _desk().buy(0.1, sl=1.2).result.retcode),
    (10017, "the symbol is disabled", lambda: _desk(trade_mode=0).buy(0.1).result.retcode),
    (10017, "an investor's password", lambda: _desk({"read_only": True}).buy(0.1).result.retcode),
    (10017, "the account is disabled", lambda: _desk({"enabled": False}).buy(0.1).result.retcode),
    (10018, "outside the sessions", lambda: _desk(sessions_trade="Sun 00:00-01:00").buy(0.1).result.retcode),
    (10018, "the contract has expired", _expired_contract),
    (10019, "no money", lambda: _desk({"deposit": 1.0}).buy(1.0).result.retcode),
    (10021, "no quote yet", lambda: Desk().buy(0.1).result.retcode),
    (
        10022,
        "an expiration in the past",
        lambda: _desk().place(BUY_LIMIT, 1.0, type_time=2, expiration=1).result.retcode,
    ),
    (10023, "the order has just ended", _stale_order),
    (10024, "too many requests", _too_many),
    (10025, "the levels are like this", _no_changes),
    (10025, "the order is like this", _no_changes_of_an_order),
    (10026, "no programs on the account", lambda: _desk({"trade_expert": False}).buy(0.1).result.retcode),
    (10029, "too near to its price", _frozen),
    (10030, "a filling mode that is not allowed", lambda: _desk().buy(0.1, type_filling=2).result.retcode),
    (10032, "not on a demo account", lambda: _desk(only_real=True).buy(0.1).result.retcode),
    (10033, "one pending order too many", _second_limit),
    (10034, "more than the volume limit", lambda: _desk(volume_limit=0.1).buy(0.2).result.retcode),
    (10035, "an order type that the symbol does not take", lambda: _desk(order_mode=126).buy(0.1).result.retcode),
    (10035, "an unknown order type", lambda: _desk().trade(DEAL, type=9, volume=0.1).result.retcode),
    (10035, "close by on a netting account", _close_by_netting),
    (10036, "the position is closed", _gone),
    (10038, "more than the position has", _close_too_much),
    (10039, "it is being closed", _close_twice),
    (10040, "one position too many", _second_position),
    (10041, "no money when it triggered", _rejected_activation),
    (10042, "a sale on a long-only symbol", lambda: _desk(trade_mode=1).sell(0.1).result.retcode),
    (10043, "a purchase on a short-only symbol", lambda: _desk(trade_mode=2).buy(0.1).result.retcode),
    (10044, "a purchase on a close-only symbol", lambda: _desk(trade_mode=3).buy(0.1).result.retcode),
    (10045, "a younger position first", _younger_first),
    (10046, "an opposite order", _hedge),
]

#: What a trade server alone does not answer: dealers, gateways, the line and the terminal do. The emulated terminal
#: plays these as faults on demand.
NOT_OURS: Final[dict[int, str]] = {
    10007: "a trader takes a request back before the dealer has answered",
    10011: "an error inside a server or a gateway",
    10012: "a dealer or a gateway does not answer in time",
    10020: "the price changes while a dealer looks at the request",
    10027: "the terminal's button for algorithmic trading",
    10028: "a dealer has locked the request",
    10031: "the terminal has no connection",
}


@pytest.mark.fidelity(
    rule="Each condition has its own return code.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
)
@pytest.mark.parametrize(("retcode", "why", "provoke"), PROVOKED, ids=[f"{c}: {why}" for c, why, _ in PROVOKED])
def test_each_condition_has_its_return_code(retcode, why, provoke):
    assert provoke() == retcode
    assert RETCODE_TEXT[retcode]


def test_every_return_code_is_provoked_or_named_as_not_ours():
    provoked = {retcode for retcode, _, _ in PROVOKED}
    assert provoked | NOT_OURS.keys() == {int(code) for code in Retcode} - {0}
    assert not provoked & NOT_OURS.keys()


def test_order_check_gives_the_same_codes_and_changes_nothing():
    desk = _desk({"requests_per_second": 1})
    request = TradeRequest(action=DEAL, symbol="EURUSD", type=BUY, volume=0.001)
    for _ in range(3):  # questions do not count as requests
        assert desk.engine.check(request, desk.now)["retcode"] == 10014
    assert desk.engine.check(request.model_copy(update={"volume": 0.1}), desk.now)["retcode"] == 0
    assert desk.engine.positions() == []
    assert desk.buy(0.1).result.retcode == 10009
