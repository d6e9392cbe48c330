"""Threads, callbacks and the end of a client: nobody hangs, nobody is left behind, nothing happens twice."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

import mas
from mas import mt5
from mas.testing.workers import environment
from mas_router.errors import Closed
from tests.conformance.sdk_harness import BUY, REPLAY, Call, Data, Recorder, World, eventually, order

CLOSED = "The client is closed."
LIMIT = order(order_type="buy_limit", price=0.5)


# ---- callbacks -----------------------------------------------------------------------------------------------------


def test_callbacks_may_send_orders_and_wait_for_them(world: World) -> None:
    class Chain(Recorder):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            self.answers: list[mas.OrderId] = []

        def receive_order_status(self, order_id: str, status_data: Data) -> None:
            super().receive_order_status(order_id, status_data)
            if status_data["magic"] == 1:
                self.answers.append(self.send_order(order(magic=2)))

        def receive_order_execution(self, order_id: str, execution_data: Data) -> None:
            super().receive_order_execution(order_id, execution_data)
            if execution_data["magic"] == 2:
                self.answers.append(self.send_order(order(magic=3)))
                assert len(self.get_positions()) == 3

    with world.client(Chain) as client:
        client.send_order(order(magic=1))
        client.wait(lambda: len(client.calls) == 6, "six callbacks")
        assert [answer.ok for answer in client.answers] == [True, True]
        assert [call.data["magic"] for call in client.calls if call.kind == "execution"] == [1, 2, 3]


def test_callbacks_run_one_at_a_time_on_a_thread_that_is_not_the_callers(world: World) -> None:
    with world.client() as client:
        for sent in client.send_orders([order(volume=0.01)] * 20):
            assert sent.ok
        client.wait(lambda: len(client.calls) == 40, "40 callbacks")
        (thread,) = {call.thread for call in client.calls}
        assert thread != threading.get_ident()


def test_a_callback_that_raises_is_logged_and_the_next_one_comes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    class Raising(Recorder):
        def receive_order_status(self, order_id: str, status_data: Data) -> None:
            super().receive_order_status(order_id, status_data)
            raise ZeroDivisionError("in the strategy")

    with world.client(Raising) as client, caplog.at_level(logging.ERROR, logger="mas"):
        for _ in range(2):
            client.wait_for(client.send_order(BUY), "FILLED", "execution")
    assert caplog.text.count("ZeroDivisionError: in the strategy") == 2


def test_callbacks_that_take_long_do_not_delay_orders(world: World) -> None:
    class Slow(Recorder):
        def receive_order_status(self, order_id: str, status_data: Data) -> None:
            time.sleep(0.4)

    with world.client(Slow) as client:
        client.send_order(BUY)
        started = time.monotonic()
        for _ in range(3):
            assert client.send_order(BUY).ok
        assert time.monotonic() - started < 0.4


# ---- threads -------------------------------------------------------------------------------------------------------


def test_orders_of_32_threads_each_get_their_own_answer_and_one_deal(world: World) -> None:
    with world.client() as client, ThreadPoolExecutor(32) as pool:
        names = [f"t-{number}" for number in range(96)]
        answers = dict(
            zip(names, pool.map(lambda n: client.send_order(order(volume=0.01, client_order_id=n)), names), strict=True)
        )
        assert {name: answer.client_order_id for name, answer in answers.items()} == {name: name for name in names}
        assert len({answer.ticket for answer in answers.values()}) == len(names)
        deals = [row["order"] for row in client.get_order_history() if row["type"] == mt5.DEAL_TYPE_BUY]
        assert sorted(deals) == sorted(answer.ticket for answer in answers.values())


def test_the_same_client_order_id_from_32_threads_at_once_is_one_deal(world: World) -> None:
    with world.client() as client, ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: client.send_order(order(client_order_id="one")), range(64)))
        assert len({id(answer) for answer in answers}) == 1
        assert len(client.get_positions()) == 1
        client.wait_for(answers[0], "FILLED", "execution")


def test_the_first_calls_of_many_threads_open_one_account(world: World) -> None:
    with world.client() as client, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.send_order(BUY), range(16)))
        assert len({answer.ticket for answer in answers}) == 16
        assert len(client.get_positions()) == 16


def test_orders_changes_questions_and_replays_of_many_threads_live_together(world: World) -> None:
    def trade(client: Recorder, number: int) -> None:
        account = {"account": 1 + number % 3}
        for _ in range(4):
            sent = client.send_order({**LIMIT, **account})
            assert client.modify_order({"order_id": sent, "price": 0.6, **account, "backtest_toggle": True})
            assert client.cancel_order({"order_id": sent})
            assert client.get_account_info({**account, "backtest_toggle": True})["balance"] == 10_000.0

    def replay(client: Recorder, number: int) -> None:
        for _ in range(3):
            client.subscribe_bars({**REPLAY, "account": 100 + number})

    with world.client() as client, ThreadPoolExecutor(12) as pool:
        jobs = [pool.submit(trade, client, number) for number in range(8)]
        jobs += [pool.submit(replay, client, number) for number in range(3)]
        for job in jobs:
            job.result(50)


# ---- the end -------------------------------------------------------------------------------------------------------


def test_every_future_ends_when_the_client_closes_in_the_middle(world: World) -> None:
    client = world.make(Recorder)
    client.send_order(BUY)
    futures = [client.submit(order(volume=0.01)) for _ in range(200)]
    client.close()
    answers = [future.result(5) for future in futures]
    assert all(answer.ok for answer in answers), "close waits for what is in flight"
    assert len([call for call in client.calls if call.kind == "execution"]) == 201


def test_threads_that_send_while_the_client_closes_get_an_answer(world: World) -> None:
    client = world.make(Recorder)
    answers: list[mas.OrderId] = []

    def send() -> None:
        while not (answers and answers[-1] == CLOSED):
            answers.append(client.send_order(order(volume=0.01)))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answers) > 50, "50 answers")
    client.close()
    for thread in threads:
        thread.join(15)
        assert not thread.is_alive()
    refused = {str(answer) for answer in answers if answer.state is mas.State.DENIED}
    assert CLOSED in refused
    assert all(answer.ok or answer.state in (mas.State.DENIED, mas.State.UNKNOWN) for answer in answers)


def test_a_done_callback_that_waits_for_an_order_never_hangs(world: World) -> None:
    with world.client() as client:
        client.send_order(BUY)
        answers: list[mas.OrderId] = []
        started = time.monotonic()
        client.submit(BUY).add_done_callback(lambda _: answers.append(client.send_order(BUY)))
        eventually(lambda: answers, "the answer inside the done-callback")
        assert time.monotonic() - started < 3
        # Answered at once on the thread that asked; refused on the thread that would have to deliver the answer.
        assert answers[0].ok or "use submit()" in answers[0]


def test_after_close_every_method_says_at_once_that_the_client_is_closed(world: World) -> None:
    client = world.make(Recorder)
    sent = client.send_order(LIMIT)
    client.close()
    calls = len(client.calls)
    started = time.monotonic()
    for refused in (client.send_order(BUY), client.submit(BUY).result(1), *client.send_orders([BUY])):
        assert refused == CLOSED
        assert not refused.ok
    with pytest.raises(Closed, match=CLOSED):
        client.login({"account": 1, "password": "p", "server": "s"})
    for subscribe in (client.subscribe_bars, client.subscribe_ticks):
        given = REPLAY if subscribe == client.subscribe_bars else {k: v for k, v in REPLAY.items() if k != "timeframe"}
        with pytest.raises(Closed, match=CLOSED):
            subscribe(given)
    assert client.cancel_order({"order_id": sent}) is False
    assert client.modify_order({"order_id": sent, "price": 0.6}) is False
    assert client.modify_position_sltp({"position_id": 1, "sl": 0.6}) is False
    assert client.get_account_info() == {"error": CLOSED}
    assert client.order_check(BUY) == {}
    assert client.calc_order_margin({"action": "buy", "symbol": "EURUSD", "volume": 1, "price": 1}) == -1.0
    assert [client.get_positions(), client.get_pending_orders(), client.get_order_history()] == [[], [], []]
    assert [client.get_orders_total(), client.get_symbols_total(), client.get_history_orders_total()] == [0, 0, 0]
    assert not client.check_connection()
    client.close()
    assert time.monotonic() - started < 2
    assert len(client.calls) == calls


def test_a_client_may_be_closed_inside_a_callback(world: World) -> None:
    class Closing(Recorder):
        def receive_order_status(self, order_id: str, status_data: Data) -> None:
            self.close()
            super().receive_order_status(order_id, status_data)

    client = world.make(Closing)
    assert client.send_order(BUY).ok
    eventually(lambda: client.calls, "the callback to come back from close")
    assert client.send_order(BUY) == CLOSED
    client.close()


def test_a_client_that_was_never_used_closes_and_closes_again(world: World) -> None:
    client = world.make(Recorder)
    client.close()
    client.close()
    assert client.send_order(BUY) == CLOSED


def test_close_delivers_the_callbacks_that_are_due(world: World) -> None:
    class Slow(Recorder):
        def receive_order_execution(self, order_id: str, execution_data: Data) -> None:
            time.sleep(0.05)
            super().receive_order_execution(order_id, execution_data)

    with world.client(Slow) as client:
        client.send_orders([order(volume=0.01)] * 6)
    assert [call.kind for call in client.calls].count("execution") == 6


def test_an_exception_in_the_with_block_closes_and_passes(world: World) -> None:
    with pytest.raises(ZeroDivisionError), world.client() as client:
        client.send_order(BUY)
        raise ZeroDivisionError
    assert client.send_order(BUY) == CLOSED


def test_a_subclass_that_forgets_to_call_init_works(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(mas.Client):
        def __init__(self) -> None:
            self.calls: list[Call] = []

        def receive_order_status(self, order_id: str, status_data: Data) -> None:
            self.calls.append(Call("status", order_id, status_data))

    monkeypatch.setenv("MAS_URL", world.url)
    monkeypatch.setenv("MAS_DATA", str(world.data))
    with Forgetful() as client:
        assert client.send_order(BUY).ok
    assert [call.state for call in client.calls] == ["FILLED"]


def test_the_first_calls_of_threads_on_a_client_without_init_share_one_inside(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(mas.Client):
        def __init__(self) -> None:
            pass

    monkeypatch.setenv("MAS_URL", world.url)
    monkeypatch.setenv("MAS_DATA", str(world.data))
    with Forgetful() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.send_order(BUY), range(8)))
        assert len({answer.ticket for answer in answers}) == 8
        assert len(client.get_positions({"backtest_toggle": True})) == 8


def test_clients_leave_no_thread_and_no_file_behind(world: World) -> None:
    process = psutil.Process()

    def run() -> None:
        with world.client() as client:
            client.send_order(BUY)

    run()
    threads, files = set(threading.enumerate()), process.num_fds()
    for _ in range(30):
        run()
    assert {thread.name for thread in set(threading.enumerate()) - threads} == set()
    assert process.num_fds() <= files + 1


# ---- programs ------------------------------------------------------------------------------------------------------

PROGRAM = """
import mas

class Strategy(mas.Client):
    def receive_order_status(self, order_id, status_data):
        print("status", order_id, status_data["state"])

    def receive_order_execution(self, order_id, execution_data):
        print("execution", order_id)

{body}
"""
SEND = 'dict(symbol="EURUSD", order_type="buy", volume=0.1, backtest_toggle=True)'


def run_program(
    body: str, world: World, seconds: float = 30.0, url: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        env=environment(MAS_URL=world.url if url is None else url, MAS_DATA=str(world.data)),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@pytest.mark.parametrize("call", ["send_order", "submit"])
def test_a_program_that_ends_right_after_its_order_still_prints_its_callbacks(world: World, call: str) -> None:
    done = run_program(f"Strategy().{call}({SEND})", world)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["status", "1000001", "FILLED", "execution", "1000001"]


def test_a_program_that_fails_ends_with_its_own_traceback(world: World) -> None:
    done = run_program(f"client = Strategy()\nclient.send_order({SEND})\nraise SystemExit(3)", world)
    assert done.returncode == 3
    assert "execution" in done.stdout
    assert done.stderr == ""
