"""What `mas topology` declares and shows."""

from __future__ import annotations

import pytest

from mas_router import topology
from mas_router.cli.plan import Account, Plan, account, describe, everything, wanted
from mas_router.errors import InvalidField
from mas_router.topology import Binding


def names(plan: Plan) -> set[str]:
    return {planned.item.name for planned in plan if not isinstance(planned.item, Binding)}


@pytest.mark.parametrize(
    ("text", "found"), [("Demo", Account("Demo")), ("MetaQuotes-Demo:1001", Account("MetaQuotes-Demo", "1001"))]
)
def test_a_live_account_is_a_server_and_maybe_a_login(text: str, found: Account) -> None:
    assert account(text) == found


@pytest.mark.parametrize("text", ["", ":", ":1001", "Demo:", " : "])
def test_half_an_account_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidField, match=r"--live=.*MetaQuotes-Demo:1001"):
        account(text)


def test_without_a_wish_the_backtest_topology_is_declared() -> None:
    assert [planned.item for planned in wanted([], False, "quorum")] == topology.runs()


def test_a_live_user_declares_nothing_of_the_backtest() -> None:
    plan = wanted([Account("Demo", "7")], True, "classic")
    assert topology.BACKTEST not in names(plan)
    assert {"mas.live.demo", "mas.live.demo.7.orders.v1", "mas.live.demo.7.control.v1", "mas.ledger.v1"} <= names(plan)


def test_nothing_is_planned_twice_and_an_exchange_comes_before_what_is_bound_to_it() -> None:
    items = [planned.item for planned in wanted([Account("A", "1"), Account("A", "2"), Account("B")], True, "quorum")]
    assert all(items.count(item) == 1 for item in items)
    for position, item in enumerate(items):
        if isinstance(item, Binding):
            before = names_of(items[:position])
            assert {item.exchange, item.queue} <= before


def names_of(items: list[topology.Declaration]) -> set[str]:
    return {item.name for item in items if not isinstance(item, Binding)}


def test_the_queue_type_reaches_the_queues() -> None:
    kinds = {
        planned.item.arguments["x-queue-type"]
        for planned in wanted([Account("A", "1")], False, "classic")
        if isinstance(planned.item, topology.Queue) and "x-queue-type" in planned.item.arguments
    }
    assert kinds == {"classic"}


def test_the_whole_topology_shows_what_there_are_many_of_in_capitals() -> None:
    many = names([planned for planned in everything([], "quorum") if planned.many])
    assert many == {
        "mas.backtest.session.SESSION.v1",
        "mas.reply.CLIENT.v1",
        "mas.live.BROKER",
        "mas.live.BROKER.LOGIN.orders.v1",
        "mas.live.BROKER.LOGIN.control.v1",
    }


def test_a_named_live_account_takes_the_place_of_the_capitals() -> None:
    plan = everything([Account("Demo", "7")], "quorum")
    assert "mas.live.demo.7.orders.v1" in names([planned for planned in plan if not planned.many])
    assert not any("BROKER" in name for name in names(plan))


def test_a_plan_is_described_in_numbers() -> None:
    assert describe(wanted([], False, "quorum")) == "4 exchanges, 3 queues, 3 bindings"
