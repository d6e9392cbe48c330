"""Each command gets its own answer or one error; what cannot be read calls nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from mas._line import Line
from mas_router import messages as m
from mas_router.codec import encode
from mas_router.errors import Closed, DataMissing, LoginRefused, NotConnected, RemoteError, SessionLost
from mas_router.transport import Delivery, Envelope, Outcome


class FakeTransport:
    """Keeps what is published; `answer` says what comes of it."""

    address, connected = "here:5672", True

    def __init__(self) -> None:
        self.sent: list[Envelope] = []
        self.answer: Callable[[Envelope], None] = lambda _: None
        self.outcome = Outcome.CONFIRMED
        self.deliver: Callable[[Delivery], None]
        self.acked = 0

    def declare(self, items: Any, timeout: float = 1.0) -> None:
        self.declared = list(items)

    def consume(self, queue: str, on_delivery: Callable[[Delivery], None], *, prefetch: int) -> None:
        self.queue, self.deliver = queue, on_delivery

    def publish(self, envelope: Envelope, on_outcome: Callable[[Outcome], None] | None = None) -> None:
        self.sent.append(envelope)
        if on_outcome is not None:
            on_outcome(self.outcome)
        self.answer(envelope)

    def give(self, body: bytes, message_id: str = "", **headers: object) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        done = self._ack
        self.deliver(Delivery("q", "e", "k", body, message_id, "", names, False, "", done, done))

    def _ack(self) -> None:
        self.acked += 1


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []

    def on_report(self, report: m.Report) -> None:
        self.heard.append(("report", report.id))

    def on_refused(self, refused: m.Refused) -> None:
        self.heard.append(("refused", refused.id))

    def on_pong(self, pong: m.Pong) -> None:
        self.heard.append(("pong", pong.id))

    def on_bounce(self, command_id: str, reason: str) -> None:
        self.heard.append(("bounce", (command_id, reason)))


PING = m.Ping(id="p", client="me")
PONG = m.Pong(id="p", session="s", time=1)
REPORT = m.Report(id="p", session="s", mode="backtest", seq=1)


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def line(transport: FakeTransport, listener: Listener) -> Line:
    made = Line(transport, "me", listener)  # type: ignore[arg-type]
    made.start(1.0)
    return made


def call(line: Line, timeout: float = 0.01) -> m.Message:
    return line.call("x", "key", PING, timeout, "the worker")


def test_a_call_gets_the_message_that_carries_its_id(line: Line, transport: FakeTransport) -> None:
    transport.answer = lambda _: (
        transport.give(encode(PONG.model_copy(update={"id": "another"}))),
        transport.give(encode(PONG)),
    )[0]
    assert call(line) == PONG
    (envelope,) = transport.sent
    assert (envelope.message_id, envelope.headers, envelope.mandatory) == ("p", {"client": "me"}, True)
    assert envelope.ttl_ms == 10, "what nobody waits for any more is not worth delivering"


def test_a_call_without_an_answer_ends_at_its_time_out(line: Line) -> None:
    with pytest.raises(NotConnected, match=r"no answer from the worker within 0\.01 s"):
        call(line)


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.CONFIRMED])
def test_a_call_that_is_not_delivered_fails_at_once_with_the_reason(
    line: Line, transport: FakeTransport, outcome: Outcome
) -> None:
    transport.outcome = outcome
    with pytest.raises(SessionLost if outcome is Outcome.NO_ROUTE else NotConnected) as caught:
        call(line, 30)
    assert "no answer" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("data_missing", DataMissing),
        ("session_closed", SessionLost),
        ("login_refused", LoginRefused),
        ("internal", RemoteError),
        ("", RemoteError),
    ],
)
def test_a_refusal_is_the_error_that_its_code_stands_for(
    line: Line, transport: FakeTransport, code: str, error: type[Exception]
) -> None:
    transport.answer = lambda _: transport.give(encode(m.Refused(id="p", code=code, message="why")))
    with pytest.raises(error, match="why"):
        call(line)


def test_a_report_is_heard_before_the_call_that_waits_for_it_returns(
    line: Line, transport: FakeTransport, listener: Listener
) -> None:
    transport.answer = lambda _: transport.give(encode(REPORT))
    assert call(line) == REPORT
    assert listener.heard == [("report", "p")]


def test_a_report_that_is_continued_does_not_end_the_call(
    line: Line, transport: FakeTransport, listener: Listener
) -> None:
    first = REPORT.model_copy(update={"more": True})
    transport.answer = lambda _: (transport.give(encode(first)), transport.give(encode(REPORT)))[0]
    assert call(line) == REPORT
    assert len(listener.heard) == 2


def test_a_command_that_comes_back_fails_its_call_or_is_told(
    line: Line, transport: FakeTransport, listener: Listener
) -> None:
    transport.answer = lambda _: transport.give(b"whatever", "p", x_first_death_reason="expired")
    with pytest.raises(NotConnected, match="expired"):
        call(line, 30)
    transport.give(b"", "order-1", x_first_death_reason="rejected")
    assert listener.heard == [("bounce", ("order-1", "rejected"))]


def test_what_cannot_be_read_is_logged_and_acked(
    line: Line, transport: FakeTransport, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for body in (b"", b"garbage", b"\xdd\xff\xff\xff\xff"):
            transport.give(body)
    assert caplog.text.count("dropped an event that could not be read") == 3
    assert (transport.acked, listener.heard) == (3, [])


def test_beats_and_commands_in_the_reply_queue_are_nobodys(
    line: Line, transport: FakeTransport, listener: Listener
) -> None:
    beat = m.Beat(worker="w", host="h", pid=1, version="1", time=1, started=1)
    for message in (beat, PING):
        transport.give(encode(message))
    assert (transport.acked, listener.heard) == (2, [])


def test_a_pong_that_nobody_waits_for_tells_the_workers_time(
    line: Line, transport: FakeTransport, listener: Listener
) -> None:
    transport.give(encode(PONG))
    assert listener.heard == [("pong", "p")]


def test_a_listener_that_fails_does_not_keep_the_delivery(
    line: Line, transport: FakeTransport, listener: Listener
) -> None:
    listener.on_report = lambda report: 1 // 0  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(ZeroDivisionError):
        transport.give(encode(REPORT.model_copy(update={"id": ""})))
    assert transport.acked == 1


def test_calls_that_wait_end_when_the_client_leaves(line: Line) -> None:
    future = line.start_call("x", "key", PING, "the worker")
    line.fail_calls(Closed())
    line.fail_calls(Closed())
    assert isinstance(future.exception(0), Closed)


def test_a_late_answer_changes_nothing(line: Line, transport: FakeTransport, listener: Listener) -> None:
    future = line.start_call("x", "key", PING, "the worker")
    line.fail_calls(Closed())
    transport.give(encode(PONG))
    assert isinstance(future.exception(0), Closed)
    assert listener.heard == [("pong", "p")], "it still tells the time"
