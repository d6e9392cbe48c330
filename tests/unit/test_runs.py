"""Runs in a child process: whatever a strategy does, the run ends in one result, and the next one is not harmed."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mas.backtest.parameters import Parameter
from mas.testing.router import wait_until
from mas_router.codec import decode, encode
from mas_router.messages import Run
from mas_router.runs import Performer, Place, Stopped
from tests.strategies import write_strategies

FROM, TO = 1_704_153_600_000_000_000, 1_704_157_200_000_000_000  # an hour of 2 January 2024


@pytest.fixture
def performer(tmp_path: Path) -> Iterator[Performer]:
    """A performer with one day's limit."""
    with performing(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Performer]:
    """One that has performed something, and is used by several tests, one after another."""
    with performing(tmp_path_factory.mktemp("lasting")) as made:
        made.perform(run())
        yield made


@contextmanager
def performing(directory: Path) -> Iterator[Performer]:
    made = Performer(Place(write_strategies(directory / "strategies"), directory / "data", worker="w1"))
    try:
        yield made
    finally:
        made.close()


def run(act: str = "nothing", **more: Any) -> Run:
    params = {"act": act, **more.pop("params", {})}
    given: dict[str, Any] = {
        "id": "r-1",
        "client": "c",
        "strategy": "inner.odd:Odd",
        "params": params,
        "source": "synthetic",
        "symbols": ("EURUSD",),
        "timeframes": ("M5",),
        "since": FROM,
        "until": TO,
    }
    return Run(**{**given, **more})


def pid(performer: Performer) -> int:
    assert performer._child is not None
    return performer._child.pid


def test_runs_come_one_after_another_from_the_same_process(performer: Performer) -> None:
    first = performer.perform(run())
    assert (first.status, first.worker, first.kpis["bars"], first.message) == ("done", "w1", 12, "")
    before = pid(performer)
    assert performer.perform(run(id="r-2")).id == "r-2"
    assert pid(performer) == before


def test_a_run_finds_no_trace_of_the_one_before(performer: Performer) -> None:
    assert [performer.perform(run("remember")).message for _ in range(3)] == ["", "", ""]


@pytest.mark.parametrize("act", ["draw", "draw_with_numpy"])
def test_a_strategy_that_draws_random_numbers_draws_the_same_ones_wherever_it_runs(
    performer: Performer, act: str
) -> None:
    other = Performer(performer._place)
    performer.perform(run(act))
    found = [one.perform(run(act, seed=5)).kpis for one in (performer, other, performer)]
    other.close()
    assert found[0] == found[1] == found[2]
    assert found[0]["deals"] == 1


@pytest.mark.parametrize(
    ("wrong", "code", "told"),
    [
        ({"params": {"act": "raise"}}, "strategy", r"RuntimeError: planted \(odd.py, line \d+, in do_raise\)"),
        ({"params": {"act": "leave"}}, "strategy", "SystemExit: 3"),
        ({"params": {"act": "nothing", "acct": 1}}, "refused", "no such parameter; did you mean act"),
        ({"params": {"number": "7"}}, "refused", "number='7' is not allowed: a whole number"),
        ({"strategy": "inner.odd:Even"}, "refused", "has no strategy Even"),
        ({"strategy": "os:Odd"}, "refused", "there is no strategy os"),
        ({"code": "0123456789abcdef"}, "refused", "another version"),
        ({"symbols": ("XXXYYY",)}, "refused", "XXXYYY"),
        ({"source": "catalog"}, "data_missing", "mas data"),
    ],
)
def test_what_goes_wrong_is_told_and_the_process_lives(
    lasting: Performer, wrong: dict[str, Any], code: str, told: str
) -> None:
    before = pid(lasting)
    result = lasting.perform(run(**{"params": {}, **wrong}))
    assert (result.status, result.code) == ("failed", code)
    assert re.search(told, result.message), result.message
    assert lasting.perform(run()).status == "done"
    assert pid(lasting) == before


def test_a_process_that_dies_is_a_result_and_the_next_run_gets_a_new_one(performer: Performer) -> None:
    result = performer.perform(run("crash"))
    assert (result.status, result.code) == ("failed", "crash")
    assert "exit code 7" in result.message
    assert performer.perform(run()).status == "done"


def test_a_run_that_takes_too_long_is_ended(performer: Performer) -> None:
    performer.perform(run())
    began = time.monotonic()
    result = performer.perform(run(seconds=0.5, params={"seconds": 60.0}))
    assert (result.status, result.code) == ("failed", "timeout")
    assert "0.5 s" in result.message
    assert time.monotonic() - began < 10


def test_a_run_that_cannot_even_be_sent_to_the_process_is_a_result_too(performer: Performer) -> None:
    huge = run().model_copy(update={"params": {f"p{number}": "x" * 4000 for number in range(60)}})
    result = performer.perform(huge)
    assert (result.status, result.code) == ("failed", "crash")
    assert performer.perform(run()).status == "done"


def test_no_run_may_take_longer_than_the_host_allows(tmp_path: Path) -> None:
    place = Place(write_strategies(tmp_path / "strategies"), tmp_path, worker="w1", seconds=0.5)
    short = Performer(place)
    assert short.perform(run(seconds=3600.0, params={"seconds": 60.0})).code == "timeout"
    short.close()


def test_what_a_strategy_prints_does_not_get_between_the_answers(performer: Performer) -> None:
    assert [performer.perform(run("print")).status for _ in range(2)] == ["done", "done"]


def test_a_process_in_which_a_strategy_left_a_thread_is_not_used_again(performer: Performer) -> None:
    assert performer.perform(run("leave_a_thread")).status == "done"
    before = pid(performer)
    assert performer.perform(run()).status == "done"
    assert pid(performer) != before


def test_a_stop_ends_the_run_that_is_under_way(performer: Performer, tmp_path: Path) -> None:
    ended: list[bool] = []
    marks = tmp_path / "marks"
    marks.mkdir()

    def work() -> None:
        with pytest.raises(Stopped):
            performer.perform(run(params={"seconds": 60.0, "marks": str(marks)}))
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: any(marks.iterdir()), "the run to start", 30)
    performer.stop()
    thread.join(20)
    assert ended == [True]
    with pytest.raises(Stopped):
        performer.perform(run())
    performer.again()
    assert performer.perform(run()).status == "done"


def test_a_strategy_sees_no_url_of_a_broker(performer: Performer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAS_URL", "MAS_BACKTEST_URL", "MAS_LIVE_URL"):
        monkeypatch.setenv(name, "amqp://user:secret@127.0.0.1:1/")
    result = performer.perform(run("find_no_broker"))
    assert result.status == "done", result.message


def test_every_parameter_that_a_user_may_type_fits_in_a_message() -> None:
    longest = Parameter("text", (str,), "").read("--set", "\N{GRINNING FACE}" * 200)
    full = run().model_copy(update={"params": {f"p{number}": longest for number in range(64)}})
    assert decode(encode(full)) == full
