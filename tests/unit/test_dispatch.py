"""Callbacks run in order, one at a time; none of them can stop the others."""

from __future__ import annotations

import threading

import pytest

from mas._dispatch import Call, Dispatcher, Inline

SOON = 5.0


def give(dispatcher: Dispatcher, calls: list[Call]) -> None:
    dispatcher.put(calls)
    dispatcher.wake()


def test_calls_run_in_order_on_one_thread_that_is_not_the_callers() -> None:
    dispatcher = Dispatcher()
    seen: list[object] = []
    for number in range(100):
        give(dispatcher, [lambda number=number: seen.append((number, threading.get_ident()))])  # type: ignore[misc]
    assert dispatcher.drain(SOON)
    assert [number for number, _ in seen] == list(range(100))
    (thread,) = {thread for _, thread in seen}
    assert thread != threading.get_ident()
    dispatcher.close(SOON)


def test_without_a_call_there_is_no_thread() -> None:
    before = threading.active_count()
    dispatcher = Dispatcher()
    assert dispatcher.drain(0)
    dispatcher.close(SOON)
    assert threading.active_count() == before


def test_an_exception_is_logged_and_the_next_call_runs(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Dispatcher()
    seen: list[object] = []
    give(dispatcher, [lambda: 1 // 0])  # type: ignore[arg-type, return-value]
    give(dispatcher, [lambda: seen.append(1)])
    assert dispatcher.drain(SOON)
    assert seen == [1]
    assert "ZeroDivisionError" in caplog.text
    dispatcher.close(SOON)


def test_draining_inside_a_call_returns_at_once() -> None:
    dispatcher = Dispatcher()
    results: list[bool] = []
    give(dispatcher, [lambda: results.append(dispatcher.drain(SOON))])
    give(dispatcher, [lambda: results.append(True)])
    assert dispatcher.drain(SOON)
    assert results == [True, True]
    dispatcher.close(SOON)


def test_draining_gives_up_at_its_deadline() -> None:
    dispatcher, go = Dispatcher(), threading.Event()
    give(dispatcher, [lambda: go.wait(SOON) and None])
    assert not dispatcher.drain(0.01)
    go.set()
    assert dispatcher.drain(SOON)
    dispatcher.close(SOON)


def test_after_close_nothing_runs_and_no_thread_is_left() -> None:
    dispatcher = Dispatcher()
    seen: list[object] = []
    before = set(threading.enumerate())
    give(dispatcher, [lambda: seen.append("before")])
    dispatcher.close(SOON)
    give(dispatcher, [lambda: seen.append("after")])
    assert seen == ["before"], "what was due ran"
    assert dispatcher.drain(0)
    assert set(threading.enumerate()) <= before


def test_closing_twice_and_inside_a_call_ends_the_thread() -> None:
    dispatcher = Dispatcher()
    before = set(threading.enumerate())
    give(dispatcher, [lambda: dispatcher.close(SOON)])
    assert dispatcher.drain(SOON)
    dispatcher.close(SOON)
    assert set(threading.enumerate()) <= before


def test_a_callback_that_exits_does_not_take_the_later_ones_with_it(caplog: pytest.LogCaptureFixture) -> None:
    def leave() -> None:
        raise SystemExit

    dispatcher = Dispatcher()
    seen: list[object] = []
    give(dispatcher, [leave, lambda: seen.append(1)])
    give(dispatcher, [lambda: seen.append(2)])
    assert dispatcher.drain(SOON)
    assert seen == [1, 2]
    assert "SystemExit" in caplog.text
    dispatcher.close(SOON)


def test_calls_wait_for_the_word_to_run_and_keep_their_place() -> None:
    dispatcher = Dispatcher()
    seen: list[object] = []
    dispatcher.put([lambda: seen.append(1)])
    dispatcher.put([lambda: seen.append(2)])
    assert not dispatcher.drain(0)
    assert seen == []
    dispatcher.wake()
    assert dispatcher.drain(SOON)
    assert seen == [1, 2]
    dispatcher.close(SOON)


def test_nothing_to_call_starts_nothing() -> None:
    dispatcher, before = Dispatcher(), threading.active_count()
    give(dispatcher, [])
    assert dispatcher.drain(0)
    assert threading.active_count() == before


def test_inline_calls_run_in_order_on_the_callers_thread_with_those_that_they_add() -> None:
    inline = Inline()
    seen: list[object] = []
    inline.put([lambda: (seen.append("a"), inline.put([lambda: seen.append("c")]))[0]])  # type: ignore[func-returns-value]
    inline.put([lambda: seen.append("b")])
    inline.run()
    assert seen == ["a", "b", "c"]
    assert not inline.calls


def test_an_exception_of_an_inline_call_is_the_callers_and_the_rest_waits() -> None:
    inline = Inline()
    seen: list[object] = []
    inline.put([lambda: 1 // 0])  # type: ignore[arg-type, return-value]
    inline.put([lambda: seen.append(1)])
    with pytest.raises(ZeroDivisionError):
        inline.run()
    assert seen == []
    inline.run()
    assert seen == [1]
