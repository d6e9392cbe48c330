"""What `mas status` calls a problem."""

from __future__ import annotations

from typing import Any

import pytest

from mas_router.cli.health import Fleet, Heard, problems
from mas_router.cli.status import duration
from mas_router.messages import Beat
from mas_router.topology import DEAD_QUEUE, OPEN_QUEUE
from mas_router.transport import QueueInfo

NOW = 1_700_000_000_000_000_000


def heard(worker: str = "w1", *, at: int = NOW, **fields: Any) -> Heard:
    defaults: dict[str, Any] = {"host": "h", "pid": 1, "version": "1", "time": NOW, "started": NOW, "slots": 4}
    return Heard(Beat(worker=worker, **(defaults | fields)), at)


def fleet(*workers: Heard, seconds: float = 2.5, opening: int = 0, dead: int = 0) -> Fleet:
    queues = {OPEN_QUEUE: QueueInfo(opening, 1), DEAD_QUEUE: QueueInfo(dead, 0)}
    return Fleet("host:5672/", seconds, {each.beat.worker: each for each in workers}, queues)


def test_a_serving_worker_with_free_slots_and_empty_queues_is_no_problem() -> None:
    assert problems(fleet(heard())) == []


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (fleet(seconds=0.0), "no worker has ever been here"),
        (fleet(), "no worker was heard in 2.5 s"),
        (fleet(heard(), opening=3), f"3 clients wait for a simulated account in {OPEN_QUEUE}"),
        (fleet(heard(), dead=2), f"2 messages in {DEAD_QUEUE}"),
        (fleet(heard(slots=0)), "every slot is taken"),
        (fleet(heard(lag_ms=1500.0, waiting=7)), "w1 is 1.5 s behind, with 7 commands waiting"),
        (fleet(heard(waiting=101)), "with 101 commands waiting"),
        (fleet(heard(time=NOW + 3_000_000_000)), "the clock of h (w1) is 3.0 s ahead of this machine's"),
        (fleet(heard(time=NOW - 3_000_000_000)), "the clock of h (w1) is 3.0 s behind this machine's"),
    ],
)
def test_each_thing_that_is_wrong_is_one_sentence(seen: Fleet, told: str) -> None:
    (text,) = problems(seen)
    assert told in text


def test_a_draining_worker_is_named_and_does_not_count_as_one_that_serves() -> None:
    leaving = heard("w2", draining=True)
    assert problems(fleet(heard(), leaving)) == ["w2 is draining: it takes no new accounts and ends soon"]
    alone = problems(fleet(leaving))
    assert len(alone) == 2
    assert alone[0].startswith("every worker is draining")


def test_a_free_slot_anywhere_is_enough() -> None:
    assert problems(fleet(heard("w1", slots=0), heard("w2", slots=1))) == []


def test_a_queue_that_does_not_exist_is_no_problem_of_its_own() -> None:
    assert problems(Fleet("h", 1.0, {"w1": heard()}, {OPEN_QUEUE: None, DEAD_QUEUE: None})) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 d")]
)
def test_a_duration_is_told_in_the_largest_unit_of_which_there_are_two(seconds: float, text: str) -> None:
    assert duration(seconds) == text
