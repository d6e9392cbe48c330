"""A simulator in the same process is called directly, and its answers come in the order in which they were made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

import pytest

from mas._direct import DirectLine
from mas_router import messages as m
from mas_router import topology
from mas_router.errors import RemoteError, SessionLost
from mas_router.memory import MemoryBroker
from mas_router.transport import Outcome


def report(name: str, seq: int = 0) -> m.Report:
    return m.Report(id=name, session="s", mode="backtest", seq=seq)


class Worker:
    """Answers with two numbered reports; `hook` runs in between, as other threads would."""

    def __init__(self) -> None:
        self.seq = 0
        self.asked: list[str] = []
        self.hook: Callable[[m.Command], None] = lambda _: None

    def answer(self, key: str, command: m.Command) -> Iterable[m.Reply] | None:
        self.asked.append(key)
        if key.startswith("gone"):
            return None
        if key.startswith("broken"):
            raise ZeroDivisionError
        self.hook(command)
        self.seq += 2
        return [report("", self.seq - 1), report(command.id, self.seq)]

    def is_slow(self, message: m.Message) -> bool:
        return False

    def follow(self) -> Iterable[m.Reply]:
        self.seq += 1
        return [report("", self.seq)]


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []
        self.then: Callable[[m.Report], None] = lambda _: None

    def on_report(self, report: m.Report) -> None:
        self.heard.append(report.seq)
        self.then(report)

    def on_refused(self, refused: m.Refused) -> None:
        self.heard.append(-1)

    def on_pong(self, pong: m.Pong) -> None: ...

    def on_bounce(self, command_id: str, reason: str) -> None: ...


class Rig:
    def __init__(self) -> None:
        self.worker, self.listener = Worker(), Listener()
        self.line = DirectLine(MemoryBroker().connect("c"), "c", self.listener, self.worker)
        self.outcomes: list[Outcome] = []

    def send(self, name: str, key: str = "s.trade", exchange: str = topology.BACKTEST) -> None:
        command = m.Ping(id=name, client="c")
        self.line.send(exchange, key, command, self.outcomes.append)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_command_is_answered_before_sending_it_returns(rig: Rig) -> None:
    rig.send("a")
    assert rig.listener.heard == [1, 2]
    assert rig.outcomes == [Outcome.CONFIRMED]
    rig.line.tick()
    assert rig.listener.heard == [1, 2, 3]


def test_who_hears_an_answer_may_send_and_hears_the_next_ones_in_order(rig: Rig) -> None:
    def again(heard: m.Report) -> None:
        if heard.seq in (1, 3):
            rig.send(f"n{heard.seq}")

    rig.listener.then = again
    rig.send("a")
    assert rig.listener.heard == [1, 2, 3, 4, 5, 6]


def test_answers_of_several_threads_come_in_the_order_in_which_they_were_made(rig: Rig) -> None:
    threads = [threading.Thread(target=lambda: [rig.send(f"n{n}") for n in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert rig.listener.heard == list(range(1, 1601))


def test_a_call_gets_its_own_answer(rig: Rig) -> None:
    answer = rig.line.call(topology.BACKTEST, "s.ping", m.Ping(id="a", client="c"), 1.0, "the account")
    assert isinstance(answer, m.Report)
    assert answer.id == "a"


def test_a_session_that_is_not_there_is_lost(rig: Rig) -> None:
    with pytest.raises(SessionLost):
        rig.line.call(topology.BACKTEST, "gone.ping", m.Ping(id="a", client="c"), 1.0, "the account")


def test_a_failure_of_the_simulator_is_told_and_the_next_command_is_answered(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RemoteError, match="failed on this ping command"):
        rig.line.call(topology.BACKTEST, "broken.ping", m.Ping(id="a", client="c"), 1.0, "the account")
    assert "ZeroDivisionError" in caplog.text
    rig.send("b")
    assert rig.listener.heard == [1, 2]


def test_a_live_command_goes_where_nobody_is(rig: Rig) -> None:
    rig.send("a", exchange="mas.live.somewhere")
    assert rig.outcomes == [Outcome.NO_ROUTE]
    assert rig.worker.asked == []
