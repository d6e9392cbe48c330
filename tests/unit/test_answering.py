"""A thread that hands out answers must not wait for one."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from mas._answering import answer, check_may_wait
from mas_router.errors import CallerError


def test_a_done_callback_may_not_wait_and_afterwards_the_thread_may_again() -> None:
    future: Future[int] = Future()
    refusals: list[str] = []

    def callback(_: Future[int]) -> None:
        with pytest.raises(CallerError, match="use submit") as caught:
            check_may_wait()
        refusals.append(str(caught.value))

    future.add_done_callback(callback)
    answer(future, 5)
    assert future.result(0) == 5
    assert len(refusals) == 1
    check_may_wait()


def test_a_second_answer_changes_nothing() -> None:
    future: Future[int] = Future()
    answer(future, 1)
    answer(future, 2)
    assert future.result(0) == 1
