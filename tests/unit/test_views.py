"""The dictionaries that users get have the documented names, exactly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mas._book import Entry
from mas._views import StatusView, execution_data, record, retcode_name, when
from mas.order_id import Known
from mas_router import mt5
from mas_router.messages import Execution, Report, Status, TradeRequest
from mas_router.orders import FINAL, State

REQUEST = TradeRequest(action=1, symbol="EURUSD", volume=0.3, magic=7, type=1)
REPORT = Report(session="s", mode="backtest", server="Demo", login="1", seq=4)
COMMON = {"magic", "account", "broker", "mode", "session", "seq", "schema"}
STATUS = COMMON | {
    "status", "retcode", "retcode_name", "message", "request", "state", "reason", "client_order_id", "ticket",
    "position_id", "order_type", "symbol", "volume", "filled_volume", "remaining_volume", "price", "final", "outcome",
    "reconciled", "retryable", "time",
}  # fmt: skip
EXECUTION = COMMON | {
    "price", "volume", "symbol", "time", "type", "deal", "ticket", "side", "entry", "reason", "requested_price",
    "profit", "commission", "swap", "fee", "cum_volume", "remaining_volume", "bid", "ask", "comment", "time_msc",
    "position_id", "client_order_id",
}  # fmt: skip


def entry() -> Entry:
    return Entry(Known("mine"), REQUEST, "sell")


def status_data(status: Status, report: Report, entry: Entry) -> dict[str, Any]:
    return StatusView(status, report, entry).data()


def status(**changes: object) -> Status:
    return Status.model_validate({"id": "mine", "state": State.FILLED, "retcode": 10009, **changes})


def test_a_status_has_the_documented_names_and_no_other() -> None:
    data = status_data(status(message="done", ticket=5), REPORT, entry())
    assert set(data) == STATUS
    assert (data["status"], data["retcode_name"], data["message"]) == (10009, "TRADE_RETCODE_DONE", "done")
    assert (data["account"], data["broker"], data["mode"], data["seq"]) == ("1", "Demo", "backtest", 4)
    assert data["client_order_id"] == "mine"


@pytest.mark.parametrize("verb", ["cancel", "modify", "sltp"])
def test_a_status_of_a_change_names_its_action(verb: str) -> None:
    data = status_data(status(verb=verb), REPORT, entry())
    assert set(data) == STATUS | {"action"}
    assert data["action"] == verb


def test_what_the_worker_leaves_out_is_taken_from_the_order() -> None:
    data = status_data(status(), REPORT, entry())
    assert (data["symbol"], data["volume"], data["magic"], data["order_type"]) == ("EURUSD", 0.3, 7, "sell")
    assert data["request"]["symbol"] == "EURUSD"


def test_what_is_left_to_fill_is_rounded_as_volumes_are() -> None:
    order = entry()
    order.known.filled = 0.1
    assert status_data(status(), REPORT, order)["remaining_volume"] == 0.2


@pytest.mark.parametrize("state", State)
def test_final_and_outcome_follow_the_state(state: State) -> None:
    data = status_data(status(state=state), REPORT, entry())
    assert data["final"] is (state in FINAL)
    assert data["outcome"] == ("ambiguous" if state is State.UNKNOWN else "definitive")


@pytest.mark.parametrize("retcode", [10004, 10020, 10021, 10024, 10009, 10019, 10030, 0])
def test_only_what_may_pass_a_moment_later_is_retryable(retcode: int) -> None:
    data = status_data(status(retcode=retcode), REPORT, entry())
    assert data["retryable"] is (retcode in (10004, 10020, 10021, 10024))


def test_an_execution_has_the_documented_names_and_no_other() -> None:
    deal = Execution(
        id="mine", deal=1, ticket=5, position=9, symbol="EURUSD", order_type="sell_limit", side="sell", entry="in",
        reason="expert", volume=0.3, price=1.1, time=1_704_067_200_123_456_789,
    )  # fmt: skip
    data = execution_data(deal, REPORT, "mine")
    assert set(data) == EXECUTION
    assert (data["type"], data["side"], data["position_id"]) == ("sell_limit", "sell", 9)
    assert data["time"] == datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert data["time_msc"] == 1_704_067_200_123


def test_times_are_aware_and_exact_to_the_microsecond() -> None:
    assert when(1_704_067_200_000_001_999) == datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert when(0).tzinfo is UTC


@pytest.mark.parametrize("retcode", mt5.Retcode)
def test_every_return_code_has_its_name(retcode: mt5.Retcode) -> None:
    assert getattr(mt5, retcode_name(retcode)) == retcode


def test_what_was_adapted_on_the_way_is_said_once() -> None:
    order = entry()
    order.note = "the expiration was dropped"
    first, second = (StatusView(status(message="done"), REPORT, order).data() for _ in range(2))
    assert (first["message"], second["message"]) == ("done; the expiration was dropped", "done")


def test_a_view_keeps_what_was_known_when_the_status_came() -> None:
    order = entry()
    view = StatusView(status(), REPORT, order)
    order.known.filled, order.known.ticket, order.reconciled = 0.3, 99, True
    data = view.data()
    assert (data["filled_volume"], data["ticket"], data["reconciled"]) == (0.0, 0, False)


def test_an_unknown_return_code_has_no_name() -> None:
    assert retcode_name(0) == retcode_name(99999) == ""


def test_times_of_a_record_become_aware_and_everything_else_stays() -> None:
    row = {"ticket": 1, "time": 1_704_067_200, "time_msc": 1_704_067_200_123, "time_done": 0, "comment": "time"}
    assert record(row) == {**row, "time": datetime(2024, 1, 1, tzinfo=UTC), "time_done": None}


def test_numbers_of_a_record_that_only_begin_like_a_time_stay_numbers() -> None:
    assert record({"type_time": 2, "time_expiration": 0}) == {"type_time": 2, "time_expiration": None}
