"""Records are selected as MT5 selects them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router import messages as m
from mas_router import mt5
from sim_worker.engine import Engine
from sim_worker.market import WallMarket
from sim_worker.masks import in_group, matches
from sim_worker.queries import depth, select
from sim_worker.specs import AccountSpec
from sim_worker.symbols import SYMBOLS, find_symbol

SECOND = 1_000_000_000
START = 1_704_067_200 * SECOND


@pytest.mark.parametrize(
    ("group", "chosen"),
    [
        ("*", "EURUSD GBPUSD USDJPY EURJPY"),
        ("*USD*", "EURUSD GBPUSD USDJPY"),
        ("*USD", "EURUSD GBPUSD"),
        ("EUR*", "EURUSD EURJPY"),
        ("EURUSD", "EURUSD"),
        ("eurusd", ""),
        ("EURUSD,USDJPY", "EURUSD USDJPY"),
        (" EURUSD , USDJPY ", "EURUSD USDJPY"),
        ("*,!EUR*", "GBPUSD USDJPY"),
        ("*, !*USD*, !*GBP*", "EURJPY"),
        ("!EUR*,*", "EURUSD GBPUSD USDJPY EURJPY"),
        ("!EUR*", ""),
        ("", ""),
        (",", ""),
        ("E*R*Y", "EURJPY"),
        ("*R*R*", ""),
        ("EUR?SD", ""),
        ("[E]URUSD", ""),
    ],
)
def test_masks_apply_in_their_order_and_a_star_stands_for_anything(group: str, chosen: str) -> None:
    symbols = ["EURUSD", "GBPUSD", "USDJPY", "EURJPY"]
    assert [symbol for symbol in symbols if in_group(symbol, group)] == chosen.split()


@given(parts=st.lists(st.text("AB", max_size=3), min_size=2, max_size=5), fill=st.text("AB", max_size=3))
def test_a_mask_matches_whatever_stands_where_its_stars_are(parts: list[str], fill: str) -> None:
    assert matches(fill.join(parts), "*".join(parts))


@given(symbol=st.text("AB", max_size=6), mask=st.text("AB*", max_size=6))
def test_a_mask_matches_as_its_definition_says(symbol: str, mask: str) -> None:
    def spelled_out(rest: str, pattern: str) -> bool:
        if not pattern:
            return not rest
        if pattern[0] == "*":
            return any(spelled_out(rest[at:], pattern[1:]) for at in range(len(rest) + 1))
        return bool(rest) and rest[0] == pattern[0] and spelled_out(rest[1:], pattern[1:])

    assert matches(symbol, mask) is spelled_out(symbol, mask)


def test_a_hostile_mask_costs_no_more_than_its_length() -> None:
    assert not matches("A" * 31, "*A" * 500 + "*B")


@pytest.fixture(scope="module")
def account() -> Engine:
    """Two positions, a pending order, and a closed position; one second between the orders."""
    engine = Engine(AccountSpec(deposit=100_000.0))
    market = WallMarket(1, START, find_symbol, "USD")

    def trade(at: int, **fields: object) -> None:
        now = START + at * SECOND
        market.watch("EURUSD")
        market.watch("GBPUSD")
        market.advance(engine, now)
        request = {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "deviation": 50, **fields}
        outcome = engine.trade(m.TradeRequest.model_validate(request), now)
        assert outcome.result.retcode == mt5.TRADE_RETCODE_DONE, outcome

    trade(1)
    trade(2, symbol="GBPUSD", type=1)
    trade(3, action=5, type=2, price=0.5)
    trade(4, volume=0.2)
    trade(5, volume=0.2, type=1, position=engine.positions()[-1].ticket)
    return engine


def tickets(account: Engine, what: str, **fields: object) -> list[object]:
    query = m.Query.model_validate({"id": "q", "client": "c", "what": what, **fields})
    return [row["ticket"] for row in select(account, tuple(SYMBOLS), query)]


def test_a_ticket_counts_before_a_symbol_and_a_symbol_before_a_group(account: Engine) -> None:
    first, second = tickets(account, "positions")
    assert tickets(account, "positions", ticket=first, symbol="GBPUSD") == [first]
    assert tickets(account, "positions", symbol="GBPUSD", group="EUR*") == [second]
    assert tickets(account, "positions", group="EUR*") == [first]
    assert tickets(account, "positions", symbol="EUR*") == [], "a symbol is no mask"
    assert tickets(account, "positions", ticket=4) == []


def test_pending_orders_are_selected_likewise(account: Engine) -> None:
    (pending,) = tickets(account, "orders")
    assert tickets(account, "orders", symbol="GBPUSD") == []
    assert tickets(account, "orders", ticket=pending) == [pending]


def test_history_is_selected_by_the_time_it_was_done_both_ends_included(account: Engine) -> None:
    everything = tickets(account, "history_orders")
    assert len(everything) == 4
    ends = {"since": START + 2 * SECOND, "until": START + 4 * SECOND}
    assert tickets(account, "history_orders", **ends) == everything[1:3]
    assert tickets(account, "history_orders", since=START + 6 * SECOND) == []
    assert len(tickets(account, "deals", **ends)) == 2


def test_a_ticket_or_a_position_is_found_whatever_the_time(account: Engine) -> None:
    opening, closing = tickets(account, "history_orders")[-2:]
    late = {"since": START + 100 * SECOND}
    assert tickets(account, "history_orders", ticket=closing, **late) == [closing]
    assert tickets(account, "history_orders", position=opening, **late) == [opening, closing]
    assert len(tickets(account, "deals", position=opening, **late)) == 2
    assert len(tickets(account, "deals", ticket=closing, **late)) == 1


def test_the_account_is_one_row_and_a_tick_is_the_newest_quote(account: Engine) -> None:
    (row,) = select(account, tuple(SYMBOLS), m.Query(id="q", client="c", what="account"))
    assert len(row) == 28
    (tick,) = select(account, tuple(SYMBOLS), m.Query(id="q", client="c", what="tick", symbol="EURUSD"))
    quote = account.last_quote("EURUSD")
    assert quote is not None
    assert (tick["bid"], tick["ask"], tick["time_msc"]) == (quote[1], quote[2], quote[0] // 1_000_000)
    assert select(account, tuple(SYMBOLS), m.Query(id="q", client="c", what="tick", symbol="NOSUCH")) == []


def test_symbols_are_all_that_the_simulator_has(account: Engine) -> None:
    names = [row["name"] for row in select(account, tuple(SYMBOLS), m.Query(id="q", client="c", what="symbols"))]
    assert names == list(SYMBOLS)


def test_the_depth_of_market_is_what_is_left_of_the_quote() -> None:
    spec = replace(SYMBOLS["EURUSD"], liquidity=0.5)
    engine = Engine(AccountSpec(), {"EURUSD": spec}.get)
    assert depth(engine, "EURUSD") == []
    engine.quote("EURUSD", START, 1.1, 1.1002)
    assert [(row["type"], row["price"], row["volume_dbl"]) for row in depth(engine, "EURUSD")] == [
        (mt5.BOOK_TYPE_SELL, 1.1002, 0.5),
        (mt5.BOOK_TYPE_BUY, 1.1, 0.5),
    ]
    for volume, left in ((0.2, [0.3, 0.5]), (0.3, [0.5])):
        engine.trade(m.TradeRequest(action=1, symbol="EURUSD", type=0, volume=volume), START)
        assert [row["volume_dbl"] for row in depth(engine, "EURUSD")] == left
    assert depth(engine, "NOSUCH") == []
