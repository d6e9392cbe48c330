"""A terminal behind a local socket: the same package, and what is noticed when the other side is gone."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
import pytest

from mas_router.errors import CallerError, MasError
from sim_worker import terminal as mt5
from sim_worker.terminal import frames
from sim_worker.terminal.links import SocketLink
from sim_worker.trade_server import Fault, RemoteServer, TradeServer, functions, house, serve, sockets
from sim_worker.trade_server.script import FUNCTIONS
from sim_worker.trade_server.sockets import ARGUMENTS, Listener
from tests.unit.terminal_kit import LOGIN, PASSWORD, buy
from tests.unit.test_terminal_trading import done


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = TradeServer.scripted()
    server.add_account(LOGIN, PASSWORD)
    server.quote("EURUSD", 1.1, 1.1001)
    with serve(server) as listener:
        yield listener
        mt5.shutdown()


@pytest.fixture
def control(listener: Listener) -> Iterator[RemoteServer]:
    """The trade server, as another process controls it; `mt5` is connected."""
    assert mt5.initialize(listener.path, login=LOGIN, password=PASSWORD), mt5.last_error()
    with RemoteServer(listener.host, listener.port) as control:
        yield control


def test_the_package_works_over_a_socket_as_in_the_process(control: RemoteServer):
    result = done(buy(comment="tag"))
    (position,) = mt5.positions_get() or ()
    account, rates = mt5.account_info(), mt5.copy_rates_from_pos("EURUSD", mt5.TIMEFRAME_M1, 0, 1)
    assert (position.ticket, position.comment) == (result.order, "tag")
    assert account is not None and account.login == LOGIN
    assert rates is not None and rates["close"].tolist() == [1.1]
    version = mt5.version()
    assert version is not None and isinstance(version, tuple)
    assert mt5.symbol_info("NOSUCH") is None and mt5.last_error() == (-4, "Terminal: Not found")
    assert len(control.records(LOGIN, "requests")) == 1


def test_a_control_moves_time_and_prices_arms_faults_and_trades_as_a_human(control: RemoteServer):
    control.quote("EURUSD", 1.2, 1.2001)
    before = control.advance(0)
    assert control.advance(2.5) == before + 2_500_000_000
    control.arm(Fault(kind="retcode", code=10012))
    refused = buy()
    assert refused is not None and refused.retcode == 10012 and refused.bid == 1.2
    assert control.human_deal(LOGIN, "EURUSD", "sell", 0.1)["retcode"] == 10009
    control.add_account(6001, "another", currency="EUR")
    assert mt5.login(6001, "another")
    with pytest.raises(CallerError, match="symbol"):
        control.quote("NOSUCH", 1.0, 1.1)
    assert control.records(LOGIN, "positions")[0]["reason"] == 0


def test_a_trade_server_that_ends_during_a_call_is_noticed(listener: Listener, control: RemoteServer):
    control.arm(Fault(kind="hang", on="orders_get"))
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append((mt5.orders_get(), mt5.last_error())), daemon=True)
    thread.start()
    while control.hanging() == 0:
        thread.join(0.01)
    listener.close()
    thread.join(10.0)
    assert found == [(None, (-10002, "IPC recv failed"))]
    assert mt5.orders_get() is None and mt5.last_error() == (-10001, "IPC send failed")
    assert mt5.initialize(listener.path) is False and mt5.last_error()[0] == -10003
    assert mt5.orders_get() is None and mt5.last_error() == (-10004, "No IPC connection")


def test_a_terminal_that_ends_breaks_its_connections_and_no_others(listener: Listener, control: RemoteServer):
    done(buy())
    control.end_terminal()
    assert mt5.positions_get() is None and mt5.last_error()[0] in (-10001, -10002)
    assert mt5.positions_get() is None and mt5.last_error() == (-10001, "IPC send failed")
    assert mt5.initialize(listener.path)
    assert len(mt5.positions_get() or ()) == 1
    control.end_terminal("another")
    assert len(mt5.positions_get() or ()) == 1


def test_a_dropped_terminal_loses_the_answer_and_not_the_order(listener: Listener, control: RemoteServer):
    control.arm(Fault(kind="drop", when="after"))
    assert buy() is None and mt5.last_error() == (-10002, "IPC recv failed")
    assert mt5.initialize(listener.path) and len(mt5.positions_get() or ()) == 1


def test_several_terminals_are_kept_apart_by_their_names(listener: Listener, control: RemoteServer):
    control.add_account(6001, "another")
    assert mt5.initialize(f"{listener.path}/second", login=6001, password="another")
    control.auto_trading(False)
    done(buy())
    assert mt5.initialize(listener.path)
    refused = buy()
    assert refused is not None and refused.retcode == mt5.TRADE_RETCODE_CLIENT_DISABLES_AT


def test_a_port_that_is_taken_or_that_nobody_serves_is_an_error_at_once(listener: Listener):
    with pytest.raises(MasError, match="cannot listen"), serve(TradeServer.scripted(), port=listener.port):
        pass
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        assert mt5.initialize(f"sim://127.0.0.1:{port}", timeout=100) is False
        assert mt5.last_error()[0] == -10003
    assert mt5.initialize(f"sim://127.0.0.1:{port}") is False and mt5.last_error()[0] == -10003
    with pytest.raises(MasError, match="no trade server"):
        RemoteServer("127.0.0.1", port)


def test_a_fleet_trades_at_the_same_time_each_worker_on_its_own_terminal(listener: Listener, control: RemoteServer):
    def work(login: int) -> None:
        link = SocketLink(listener.host, listener.port, f"desk-{login}", 10.0)
        link.call("initialize", {"login": login, "password": "pw", "server": ""})
        for number in range(20):
            request = mt5.TradeRequest((1, number, 0, "EURUSD", 0.01, *[0.0] * 4, *[0] * 5, f"{login}", 0, 0))
            assert link.call("order_send", {"request": request._asdict()})["request_id"] == number + 1
        link.close()

    logins = range(8001, 8009)
    for login in logins:
        control.add_account(login, "pw")
    with ThreadPoolExecutor(len(logins)) as pool:
        assert list(pool.map(work, logins)) == [None] * len(logins)
    for login in logins:
        rows = control.records(login, "positions")
        assert [(row["magic"], row["comment"]) for row in rows] == [(n, f"{login}") for n in range(20)]


# ---- what comes from outside -----------------------------------------------------------------------------------------


def exchange(listener: Listener, *bodies: bytes) -> bytes:
    """What the server answers to these bytes, until it closes or is silent."""
    with socket.create_connection((listener.host, listener.port), 5.0) as sock:
        for body in bodies:
            sock.sendall(body)
        found = b""
        with contextlib.suppress(OSError):  # cut off
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                found += part
        return found


def frame(value: object) -> bytes:
    body = msgpack.packb(value)
    return struct.pack(">I", len(body)) + bytes(body)


HELLO = frame({"v": 1, "role": "terminal", "name": ""})
WELCOME = frame({"v": 1})


STRANGERS = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff" * 100,
    b"\0\0",
    frame(5),
    frame({"v": 2, "role": "terminal", "name": ""}),
    frame({"v": 1, "role": "boss"}),
    frame({"v": 1, "role": "terminal", "name": "n" * 65}),
]


@pytest.mark.parametrize("hello", STRANGERS, ids=range(len(STRANGERS)))
def test_what_does_not_speak_the_protocol_is_cut_off(hello: bytes, listener: Listener):
    assert exchange(listener, hello) == b""


@pytest.mark.parametrize(
    "asked",
    [
        {"call": "system", "args": {}},
        {"call": "order_send", "args": {"request": {}, "delay": 5}},
        {"call": "symbol_info", "args": {"symbol": 5}},
        {"call": ["symbol_info"], "args": {}},
        {"call": "symbol_info"},
        [1, 2],
    ],
)
def test_an_unknown_function_or_argument_ends_the_connection(asked: object, listener: Listener):
    assert exchange(listener, HELLO, frame(asked)) == WELCOME


@pytest.mark.parametrize(
    "asked",
    [
        {"call": "symbol_info", "args": {}},
        {"call": "copy_rates", "args": {"symbol": "EURUSD", "timeframe": 1, "count": -5}},
        {"call": "order_send", "args": {"request": {}}},
        {"call": "order_send", "args": {"request": {"symbol": {}, "action": []}}},
        {"call": "history_deals_get", "args": {}},
        {"call": "copy_ticks", "args": {"symbol": "EURUSD", "flags": -1, "since": 2**62}},
    ],
)
def test_wrong_values_of_a_client_harm_nobody_else(asked: object, listener: Listener, control: RemoteServer):
    exchange(listener, HELLO, frame(asked))
    assert mt5.orders_get() == ()
    assert control.records(LOGIN, "positions") == []


def test_each_function_of_the_terminal_has_a_list_of_its_arguments():
    assert set(ARGUMENTS) == FUNCTIONS == {*functions.FUNCTIONS, "initialize", "login"}


def test_a_frame_has_a_longest_size():
    with socket.socket() as line, pytest.raises(frames.FrameError, match="more than"):
        frames.send(line, "x" * 70_000)


def attacker(listener: Listener) -> socket.socket:
    """A raw connection that has said hello."""
    sock = socket.create_connection((listener.host, listener.port), 10.0)
    sock.sendall(HELLO)
    assert frames.receive(sock) == {"v": 1}
    return sock


def test_only_this_machine_can_connect(listener: Listener):
    assert listener.host == "127.0.0.1"


@pytest.mark.parametrize("begun", [b"", b"\0", struct.pack(">I", 500) + b"half"], ids=["silent", "head", "half"])
def test_half_a_frame_is_given_up_and_half_a_hello_too(begun: bytes):
    server = TradeServer.scripted()
    with serve(server, patience=0.2) as listener:
        with socket.create_connection((listener.host, listener.port), 10.0) as sock:
            sock.sendall(begun)
            assert sock.recv(1) == b"", "cut off before its hello"
        if begun:
            with attacker(listener) as sock:
                sock.sendall(begun)
                assert sock.recv(1) == b"", "cut off in a call"


def test_a_client_that_is_silent_between_calls_is_kept():
    server = TradeServer.scripted()
    server.add_account(LOGIN, PASSWORD)
    with serve(server, patience=0.05) as listener, attacker(listener) as sock:
        threading.Event().wait(0.2)
        frames.send(sock, {"call": "initialize", "args": {"login": LOGIN, "password": PASSWORD, "server": ""}})
        assert frames.receive(sock) == {"value": True}


def test_a_client_that_does_not_read_is_cut_off_and_holds_up_nobody():
    server = TradeServer()
    server.add_account(LOGIN, PASSWORD)
    with serve(server, patience=0.3) as listener, attacker(listener) as sock:
        frames.send(sock, {"call": "initialize", "args": {"login": LOGIN, "password": PASSWORD, "server": ""}})
        assert frames.receive(sock) == {"value": True}
        ask = {"symbol": "EURUSD", "flags": -1, "since": 0, "count": 400_000}
        frames.send(sock, {"call": "copy_ticks", "args": ask})  # 24 MB, which no buffer holds
        assert mt5.initialize(listener.path, login=LOGIN, password=PASSWORD)
        assert mt5.positions_get() == ()
        deadline = threading.Event()
        for _ in range(100):
            if len(listener._connections) == 1:
                break
            deadline.wait(0.1)
        assert len(listener._connections) == 1, "only the one that reads is left"
        mt5.shutdown()


def test_there_is_a_largest_number_of_connections(listener: Listener, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sockets, "MAX_CONNECTIONS", 3)
    assert mt5.initialize(listener.path, login=LOGIN, password=PASSWORD)
    with attacker(listener), attacker(listener), socket.create_connection((listener.host, listener.port), 10.0) as sock:
        assert sock.recv(1) == b""
        assert mt5.positions_get() == (), "those that there are go on"


def test_there_is_a_largest_number_of_terminals(listener: Listener, monkeypatch: pytest.MonkeyPatch):
    assert mt5.initialize(listener.path, login=LOGIN, password=PASSWORD)
    monkeypatch.setattr(house, "MAX_TERMINALS", 2)
    assert mt5.initialize(f"{listener.path}/second")
    assert mt5.initialize(f"{listener.path}/third") is False and mt5.last_error()[0] == -10003
    assert mt5.initialize(listener.path)


def test_a_connection_that_cannot_be_accepted_does_not_end_the_listener(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
):
    """No thread to be had, once."""
    real, failed = threading.Thread.start, threading.Event()

    def start(thread: threading.Thread) -> None:
        if thread.name == "sim-terminal client" and not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    assert mt5.initialize(listener.path, login=LOGIN, password=PASSWORD) is False
    assert mt5.last_error()[0] == -10003
    assert mt5.initialize(listener.path, login=LOGIN, password=PASSWORD)


def test_after_a_restart_of_the_trade_server_calls_fail_until_initialize(listener: Listener, control: RemoteServer):
    done(buy())
    listener.close()
    assert mt5.positions_get() is None and mt5.last_error()[0] in (-10001, -10002)
    assert mt5.positions_get() is None and mt5.last_error() == (-10001, "IPC send failed")
    again = TradeServer.scripted()
    again.add_account(LOGIN, PASSWORD)
    with serve(again, listener.port) as second:
        assert mt5.positions_get() is None and mt5.last_error() == (-10001, "IPC send failed")
        assert mt5.initialize(second.path, login=LOGIN, password=PASSWORD) and mt5.positions_get() == ()
