"""The clock of a trade server: offsets, summers, and what is shown when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router.errors import InvalidField
from sim_worker import terminal as mt5
from sim_worker.trade_server import ManualClock, TradeServer, installed
from sim_worker.trade_server.clocks import HOUR, SECOND, Dst, PacedClock, ServerTime, summer
from tests.unit.terminal_kit import LOGIN, broker_like, buy, buy_limit
from tests.unit.test_terminal_trading import done

PRACTICE = "Published reports of users of the MetaTrader5 package"


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * SECOND  # type: ignore[misc]


def test_summers_begin_and_end_as_in_europe_and_in_new_york():
    assert summer(2024, "eu") == (at(2024, 3, 31, 1), at(2024, 10, 27, 1))
    assert summer(2024, "us") == (at(2024, 3, 10, 7), at(2024, 11, 3, 6))
    assert summer(2026, "us") == (at(2026, 3, 8, 7), at(2026, 11, 1, 6))
    assert summer(2026, "eu") == (at(2026, 3, 29, 1), at(2026, 10, 25, 1))


@given(st.integers(at(2000, 1, 1), at(2037, 1, 1)), st.sampled_from(["none", "eu", "us"]), st.integers(-12, 14))
def test_a_shown_time_leads_back_to_its_moment_but_for_the_hour_that_is_shown_twice(utc: int, dst: Dst, offset: int):
    clock = ServerTime(offset * HOUR, dst)
    assert clock.utc(clock.server(utc)) in (utc, utc + HOUR)
    assert clock.server(clock.utc(clock.server(utc))) == clock.server(utc)


@given(st.integers(at(2020, 1, 1), at(2030, 1, 1)), st.integers(0, 900 * 24), st.sampled_from(["none", "eu", "us"]))
def test_spans_cover_a_stretch_without_gaps_and_the_shift_is_the_same_within(since: int, hours: int, dst: Dst):
    clock, until = ServerTime(2 * HOUR, dst), since + hours * HOUR
    spans = list(clock.spans(since, until))
    assert [begin for begin, _, _ in spans] == [since, *(end for _, end, _ in spans)][: len(spans)]
    assert sum(end - begin for begin, end, _ in spans) == until - since
    assert all(clock.shift(begin) == clock.shift(end - 1) == shift for begin, end, shift in spans)


def test_a_paced_clock_begins_at_its_start_and_goes_so_many_times_as_fast():
    ticks = iter([500, 500, 510, 1_500])
    clock = PacedClock(10_000, 60.0, lambda: next(ticks))
    assert [clock.now() for _ in range(3)] == [10_000, 10_600, 70_000]
    for speed in (0.0, -1.0, 2e6, float("nan")):
        with pytest.raises(InvalidField, match="speed"):
            PacedClock(0, speed, lambda: 0)


def test_a_manual_clock_never_goes_back():
    clock = ManualClock(5)
    assert clock.advance(1.5) == clock.now() == 5 + 1_500_000_000
    with pytest.raises(InvalidField, match="seconds"):
        clock.advance(-1)


@pytest.fixture
def autumn() -> Iterator[TradeServer]:
    """Half an hour before the summer of Europe ends: at UTC+3, then UTC+2."""
    server = TradeServer(clock=ManualClock(at(2024, 10, 27, 0, 30)))
    server.add_account(LOGIN, "x")
    with installed(server):
        assert mt5.initialize()
        yield server
        mt5.shutdown()


@pytest.mark.fidelity(rule="The server's offset to UTC changes with its summer time", section="5", source=PRACTICE)
def test_when_summer_ends_the_ticks_go_back_by_an_hour(autumn: TradeServer):
    before = mt5.symbol_info_tick("EURUSD")
    autumn.advance(3600)
    after = mt5.symbol_info_tick("EURUSD")
    assert before is not None and after is not None
    assert before.time == at(2024, 10, 27, 3, 30) // SECOND
    assert after.time == at(2024, 10, 27, 3, 30) // SECOND, "an hour later, and the clock shows the same"
    autumn.advance(60)
    later = mt5.symbol_info_tick("EURUSD")
    assert later is not None and later.time == after.time + 60


def test_bars_and_ticks_survive_the_hour_that_is_shown_twice(autumn: TradeServer):
    autumn.advance(3 * 3600)
    bars = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_H1, 0, 4)
    assert bars is not None
    assert bars["time"].tolist() == [at(2024, 10, 27, hour) // SECOND for hour in (2, 3, 4, 5)]
    assert bars["tick_volume"].tolist()[:3] == [3600, 7200, 3600]
    ticks = mt5.copy_ticks_range("EURUSD", bars["time"][0].item(), bars["time"][2].item(), mt5.COPY_TICKS_ALL)
    assert ticks is not None and len(ticks) == 3 * 3600 + 1
    assert (np.diff(ticks["time"]) < 0).sum() == 1


def test_stop_levels_are_followed_through_the_change(autumn: TradeServer):
    ticket = done(buy(0.5)).order
    tick = mt5.symbol_info_tick("EURUSD")
    assert tick is not None
    done(mt5.order_send(action=6, position=ticket, sl=round(tick.bid - 0.0004, 5), tp=round(tick.bid + 0.0004, 5)))
    for _ in range(48):
        autumn.advance(1800)
        mt5.symbol_info_tick("EURUSD")
    closed = mt5.history_deals_get(position=ticket)
    assert closed is not None and len(closed) == 2


@pytest.mark.fidelity(rule="expiration is in seconds of the server's clock", section="5", source=PRACTICE)
def test_an_expiration_is_on_the_servers_clock():
    server = TradeServer.scripted(broker_like("new-york-close"), start=at(2024, 7, 1, 12))  # UTC+3
    server.add_account(LOGIN, "x")
    server.quote("EURUSD", 1.1, 1.1001)
    with installed(server):
        assert mt5.initialize()
        shown = at(2024, 7, 1, 15) // SECOND
        early = buy_limit(type_time=2, expiration=shown)
        assert early is not None and early.retcode == mt5.TRADE_RETCODE_INVALID_EXPIRATION
        ticket = done(buy_limit(type_time=2, expiration=shown + 60)).order
        day = done(buy_limit(type_time=1)).order
        server.advance(59)
        assert mt5.orders_total() == 2
        server.advance(1)
        assert [order.ticket for order in mt5.orders_get() or ()] == [day]
        (expired,) = mt5.history_orders_get(ticket=ticket) or ()
        assert (expired.state, expired.time_done) == (mt5.ORDER_STATE_EXPIRED, shown + 60)
        server.advance(9 * 3600 - 61)
        assert mt5.orders_total() == 1
        server.advance(1)  # midnight of the server, 21:00 UTC
        assert mt5.orders_total() == 0
        mt5.shutdown()


@pytest.mark.fidelity(rule="The server's time stands still on weekends", section="5", source=PRACTICE)
def test_on_weekends_the_newest_tick_is_fridays():
    server = TradeServer("new-york-close", clock=ManualClock(at(2024, 1, 6, 12)))  # a Saturday
    server.add_account(LOGIN, "x")
    with installed(server):
        assert mt5.initialize()
        tick = mt5.symbol_info_tick("EURUSD")
        assert tick is not None and tick.time == at(2024, 1, 5, 23, 59, 59) // SECOND
        bars = mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 1)
        assert bars is not None and bars["time"].tolist() == [at(2024, 1, 5, 23, 59) // SECOND]
        server.advance(36 * 3600)
        monday = mt5.symbol_info_tick("EURUSD")
        assert monday is not None and monday.time == at(2024, 1, 8, 2) // SECOND
        mt5.shutdown()
