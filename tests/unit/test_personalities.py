"""The brokers that come along, each in what it does differently, and brokers of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mas_router.errors import InvalidField
from sim_worker import terminal as mt5
from sim_worker.symbols import SYMBOLS
from sim_worker.trade_server import Personality, TradeServer, installed
from sim_worker.trade_server.personality import DEFAULT, built_in, find
from tests.unit.terminal_kit import LOGIN, PASSWORD, broker_like, buy, connected
from tests.unit.test_terminal_trading import done

PRACTICE = "Published reports of users of the MetaTrader5 package"


@pytest.mark.parametrize("name", built_in())
def test_at_each_broker_a_position_is_opened_and_closed(name: str):
    with connected(name) as server:
        symbol = f"EURUSD{find(name).suffix}"
        assert mt5.symbol_select(symbol, True)
        info, tick = mt5.symbol_info(symbol), mt5.symbol_info_tick(symbol)
        assert info is not None and tick is not None
        filling = 0 if info.filling_mode & 1 else 1
        prices = {"price": tick.ask, "deviation": 5, "type_filling": filling}
        opened = buy(symbol=symbol, **prices)
        assert opened is not None and opened.retcode in (10008, 10009)
        server.advance(1.0)
        (position,) = mt5.positions_get() or ()
        request = {"action": 1, "symbol": symbol, "type": 1, "volume": 0.1, "price": tick.bid}
        closed = mt5.order_send({**request, "position": position.ticket, "type_filling": filling})
        assert closed is not None and closed.retcode in (10008, 10009)
        server.advance(1.0)
        assert mt5.positions_get() == ()
        assert mt5.history_deals_total(0, 2_000_000_000) == 3, "the deposit is a deal, too"


@pytest.mark.parametrize("name", built_in())
def test_at_each_broker_a_human_can_trade_too(name: str):
    with connected(name) as server:
        symbol = f"EURUSD{find(name).suffix}"
        assert server.human_deal(LOGIN, symbol, "buy", 0.1)["retcode"] == 10009
        assert server.human_pending(LOGIN, symbol, mt5.ORDER_TYPE_BUY_LIMIT, 0.1, 1.09)["retcode"] == 10009
        (position,) = server.records(LOGIN, "positions")
        assert server.human_sltp(LOGIN, int(str(position["ticket"])), sl=1.09)["retcode"] == 10009
        assert server.human_close(LOGIN, int(str(position["ticket"])))["retcode"] == 10009
        assert server.records(LOGIN, "positions") == []


def test_there_are_ten_brokers_with_a_description():
    assert len(built_in()) >= 10 and DEFAULT in built_in()
    assert all(name == broker.name and broker.description for name, broker in built_in().items())


def test_at_an_exchange_positions_net():
    with connected("netting-exchange"):
        first = done(buy(type_filling=mt5.ORDER_FILLING_RETURN))
        second = done(buy(type_filling=mt5.ORDER_FILLING_RETURN))
        (position,) = mt5.positions_get() or ()
        account = mt5.account_info()
        assert account is not None and account.margin_mode == mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING
        assert (position.ticket, position.volume) == (first.order, 0.2) and second.order != first.order


def test_a_dealing_desk_wants_a_price_and_requotes_each_third_order():
    with connected("instant-requotes"):
        refused = buy(price=0.0)
        assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_INVALID_PRICE
        codes = [result.retcode for result in (buy(0.01, price=1.1001) for _ in range(5)) if result is not None]
        assert codes == [10009, 10004, 10009, 10009, 10004]
        assert mt5.Buy("EURUSD", 0.01).retcode == 10009  # type: ignore[union-attr]


@pytest.mark.fidelity(rule="IOC where the flags allow FOK only: 10030", section="5", source=PRACTICE)
def test_where_only_fok_is_allowed_ioc_is_refused_and_the_other_way_round():
    with connected("fok-only"):
        refused = buy(type_filling=mt5.ORDER_FILLING_IOC)
        assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_INVALID_FILL
        done(buy())
    with connected("ecn-ioc"):
        refused = buy(symbol="EURUSD-pro")
        assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_INVALID_FILL


def test_an_ecn_fills_what_the_quote_offers_and_charges_a_commission():
    with connected("ecn-ioc", account={"commissions": [{"value": 3.5}], "deposit": 1e6}):
        result = buy(8.0, symbol="EURUSD-pro", type_filling=mt5.ORDER_FILLING_IOC)
        assert result is not None and (result.retcode, result.volume) == (mt5.TRADE_RETCODE_DONE_PARTIAL, 5.0)
        (deal,) = mt5.history_deals_get(ticket=result.order) or ()
        (order,) = mt5.history_orders_get(ticket=result.order) or ()
        assert (deal.volume, deal.commission) == (5.0, -17.5)
        assert (order.state, order.volume_current) == (mt5.ORDER_STATE_CANCELED, 3.0)


def test_a_gateway_answers_placed_and_the_deal_follows_with_or_without_a_ticket():
    for name in ("gateway", "gateway-blind"):
        with connected(name) as server:
            result = buy(comment="tag")
            assert result is not None and (result.retcode, result.deal) == (mt5.TRADE_RETCODE_PLACED, 0)
            assert mt5.positions_get() == ()
            server.advance(0.5)
            (position,) = mt5.positions_get() or ()
            assert position.comment == "tag"
            assert result.order == (0 if name == "gateway-blind" else position.ticket)


@pytest.mark.fidelity(rule="Brokers change comments", section="5", source=PRACTICE)
def test_a_broker_may_write_its_own_comments_or_cut_them():
    with connected("comment-eraser"):
        assert done(buy(comment="my tag")).request.comment == "my tag"
        assert [position.comment for position in mt5.positions_get() or ()] == ["bridge"]
    with connected("four-digits"):
        done(buy(comment="a comment of 26 characters"))
        assert [position.comment for position in mt5.positions_get() or ()] == ["a comment of 26 "]


def test_a_broker_without_the_last_digit_rounds_its_prices_and_its_levels():
    with connected("four-digits") as server:
        server.quote("EURUSD", 1.10004, 1.10026)
        info = mt5.symbol_info("EURUSD")
        assert info is not None and (info.digits, info.point, info.trade_tick_size) == (4, 0.0001, 0.0001)
        assert (info.bid, info.ask, info.trade_tick_value) == (1.1, 1.1003, 10.0)
        refused = buy(sl=1.09005)
        assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_INVALID_STOPS


def test_crosses_convert_at_a_broker_with_a_suffix():
    with connected("suffix-lag") as server:
        server.quote("GBPUSD.m", 1.25, 1.2501)
        server.quote("EURGBP.m", 0.88, 0.8801)
        mt5.symbol_select("EURGBP.m")
        assert mt5.symbol_info_tick("EURGBP.m") is not None
        done(buy(symbol="EURGBP.m"))
        assert mt5.order_calc_margin(0, "EURGBP.m", 1.0, 0.88) == pytest.approx(1100.1, abs=0.2)


@pytest.mark.fidelity(rule="Outside the trading sessions: 10018", section="5", source=PRACTICE)
def test_a_broker_that_closes_on_weekends_refuses_with_market_closed():
    saturday = 1_704_535_200 * 10**9  # 2024-01-06 10:00 UTC
    server = TradeServer.scripted("new-york-close", start=saturday)
    server.add_account(LOGIN, PASSWORD)
    server.quote("EURUSD", 1.1, 1.1001)
    with installed(server):
        assert mt5.initialize()
        result = buy()
        assert result is not None and result.retcode == mt5.TRADE_RETCODE_MARKET_CLOSED
        mt5.shutdown()


def test_a_personality_may_list_a_few_symbols_only():
    with connected(symbols=("EURUSD", "XAUUSD")):
        assert mt5.symbols_total() == 2 and mt5.symbol_info("GBPUSD") is None
        refused = buy(symbol="GBPUSD")
        assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_INVALID
    with pytest.raises(InvalidField, match="NOSUCH"):
        TradeServer(broker_like(DEFAULT, symbols=("NOSUCH",)))


def test_a_personality_is_read_from_a_file_and_what_is_wrong_in_it_is_named(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'server = "Mine-Live"\nsymbol = { filling_mode = ["ioc"] }\n[[faults]]\nkind = "hang"\nseconds = 1\n'
    )
    mine = find(str(path))
    assert (mine.name, mine.server, mine.faults[0].kind) == ("mine", "Mine-Live", "hang")
    assert mine.specs(SYMBOLS)["EURUSD"].filling_mode == 2
    for text, word in (
        ("sufix = '.m'", "sufix"),
        ("history_lag = -1", "history_lag"),
        ("dst = 'mars'", "dst"),
        ("[[faults]]\nkind = 'retcode'\ncode = 1", "faults"),
        ("suffix = ", "TOML"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidField, match=word):
            find(str(path))
    with pytest.raises(InvalidField, match="demo-hedging-market"):
        find("no-such-broker")


def test_wrong_settings_of_symbols_and_accounts_are_named():
    with pytest.raises(InvalidField, match="filling_mode"):
        TradeServer(Personality(symbol={"filling_mode": ["always"]}))
    server = TradeServer(Personality(account={"leverage": 0}))
    with pytest.raises(InvalidField, match="leverage"):
        server.add_account(1, "x")
    server = TradeServer.scripted()
    server.add_account(1, "x", deposit=77.0)
    for login, password, settings in ((1, "x", {}), (0, "x", {}), (2, "", {}), (3, "x", {"depositt": 1.0})):
        with pytest.raises(InvalidField):
            server.add_account(login, password, **settings)
    assert server.records(1, "account")[0]["balance"] == 77.0
