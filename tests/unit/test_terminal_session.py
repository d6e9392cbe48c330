"""Connecting, logging in, and what the terminal says of itself."""

from __future__ import annotations

import pytest

from sim_worker import terminal as mt5
from sim_worker.trade_server import TradeServer, installed
from tests.unit.terminal_kit import LOGIN, PASSWORD, buy, connected

SOURCE = "MetaTrader5 package 5.0.6231"


@pytest.mark.fidelity(rule="Before initialize and after shutdown: -10004", section="5", source=SOURCE)
def test_without_a_connection_data_is_none_flags_are_false_and_the_code_is_minus_10004():
    mt5.shutdown()
    for function in (mt5.account_info, mt5.terminal_info, mt5.version, mt5.positions_get, mt5.symbols_total):
        assert function() is None  # type: ignore[operator]
        assert mt5.last_error() == (-10004, "No IPC connection")
    assert mt5.symbol_select("EURUSD") is False and mt5.login(LOGIN) is False
    assert buy() is None and mt5.last_error() == (-10004, "No IPC connection")


def test_shutdown_lets_the_terminal_go_and_keeps_what_is_on_the_account():
    with connected() as server:
        result = buy()
        assert mt5.shutdown() is True
        assert mt5.initialize(), "the terminal knows its account"
        positions = mt5.positions_get()
        assert result is not None and positions is not None
        assert [position.ticket for position in positions] == [result.order]
        assert len(server.records(LOGIN, "positions")) == 1


@pytest.mark.fidelity(rule="A wrong login, password or server: -6", section="1.3", source=SOURCE)
def test_wrong_credentials_are_minus_6_and_there_is_no_connection_then():
    with connected():
        for wrong in ({"password": "wrong"}, {"login": 1, "password": PASSWORD}, {"server": "Other"}):
            asked = {"login": LOGIN, "password": PASSWORD, **wrong}
            assert mt5.initialize(**asked) is False
            assert mt5.last_error() == (-6, "Terminal: Authorization failed")
            assert mt5.account_info() is None
            assert mt5.last_error()[0] == -10004


def test_login_changes_the_account_and_uses_a_saved_password_later():
    with connected() as server:
        server.add_account(6001, "another", deposit=500.0, currency="EUR")
        assert mt5.login(6001, password="wrong") is False
        assert mt5.login(6001) is False, "no password is saved yet"
        assert mt5.login(6001, "another", "MAS-Demo")
        info = mt5.account_info()
        assert info is not None and (info.login, info.balance, info.currency) == (6001, 500.0, "EUR")
        assert mt5.login(LOGIN) and mt5.login(login=6001)


def test_an_investor_may_look_and_not_trade():
    with connected() as server:
        server.add_account(6001, "another", investor="reader")
        assert mt5.login(6001, "reader")
        info = mt5.account_info()
        assert info is not None and not info.trade_allowed
        result = buy()
        assert result is not None and result.retcode == mt5.TRADE_RETCODE_TRADE_DISABLED


@pytest.mark.fidelity(rule="No terminal at the path: -10003", section="5", source=SOURCE)
def test_a_path_without_a_terminal_is_minus_10003():
    for path in (r"C:\Program Files\MetaTrader 5\terminal64.exe", "sim://localhost:0x1", "sim:///name", "sim:a/b"):
        assert mt5.initialize(path) is False
        assert mt5.last_error() == (-10003, "IPC initialize failed, MetaTrader 5 x64 not found")


def test_initialize_takes_one_positional_argument_and_checks_the_others():
    with connected():
        assert mt5.initialize("sim:", "more") is False
        assert mt5.last_error() == (-2, "Invalid number of arguments")
        assert mt5.initialize(5) is False
        assert mt5.last_error() == (-2, "Invalid 1st unnamed argument")
        for name, value in (("login", "5001"), ("password", 5), ("server", None), ("timeout", 1.5), ("path", 5)):
            assert mt5.initialize(**{name: value}) is False
            assert mt5.last_error() == (-2, f'Invalid "{name}" argument')
        assert mt5.initialize("sim:", timeout=0, portable=True)


@pytest.mark.fidelity(rule="A terminal that nobody is logged in to: -10005", section="5", source=SOURCE)
def test_a_terminal_without_any_account_is_an_ipc_timeout():
    with installed(TradeServer.scripted()):
        assert mt5.initialize() is False
        assert mt5.last_error() == (-10005, "IPC timeout")


def test_terminals_with_different_names_have_accounts_of_their_own():
    with connected() as server:
        server.add_account(6001, "another")
        assert mt5.initialize("sim:second", login=6001, password="another")
        info = mt5.account_info()
        assert info is not None and info.login == 6001
        assert mt5.initialize("sim:")
        info = mt5.account_info()
        assert info is not None and info.login == LOGIN


@pytest.mark.fidelity(rule="One connection per process: initialize replaces it", section="5", source=SOURCE)
def test_a_second_initialize_replaces_the_first_even_if_it_fails():
    with connected():
        assert mt5.initialize("sim:other", login=LOGIN, password=PASSWORD)
        info = mt5.terminal_info()
        assert info is not None and info.path == "sim:other"
        assert mt5.initialize("sim:other", login=LOGIN, password="wrong") is False
        assert mt5.terminal_info() is None and mt5.last_error()[0] == -10004


def test_the_terminal_says_what_it_is():
    with connected():
        version, info = mt5.version(), mt5.terminal_info()
        assert version is not None and [type(part) for part in version] == [int, int, str]
        assert info is not None and info.connected and info.trade_allowed and not info.tradeapi_disabled
        assert info.build == version[1]


def test_without_an_installed_trade_server_there_is_one_with_an_account_for_a_first_try():
    try:
        assert mt5.initialize(), mt5.last_error()
        info, tick = mt5.account_info(), mt5.symbol_info_tick("EURUSD")
        assert info is not None and info.login == 1001 and info.trade_mode == mt5.ACCOUNT_TRADE_MODE_DEMO
        assert tick is not None and tick.ask > tick.bid > 0
    finally:
        mt5.shutdown()
