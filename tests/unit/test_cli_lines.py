"""The lines of `mas tail`, and of a worker's log."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mas_router.cli import lines, logs
from mas_router.messages import Execution, Report, Status
from mas_router.orders import State

TIME = 1_740_830_400_123_456_789  # 2025-03-01 12:00:00.123456789
ABOUT: dict[str, Any] = {
    "id": "a-1",
    "symbol": "EURUSD",
    "order_type": "sell",
    "volume": 0.1,
    "price": 1.1,
    "time": TIME,
}


def status(**fields: Any) -> Status:
    return Status(**(ABOUT | {"state": State.FILLED, "retcode": 10009, "message": "done", "ticket": 5} | fields))


def execution(**fields: Any) -> Execution:
    deal = {"deal": 9, "ticket": 5, "position": 5, "side": "sell", "entry": "in", "reason": "expert"}
    return Execution(**(ABOUT | deal | fields))


def report(*events: Status | Execution) -> Report:
    return Report(session="s1", mode="backtest", server="Demo", login="1001", seq=3, events=events)


def test_a_line_begins_with_time_mode_account_and_client_order_id() -> None:
    assert lines.head(report(), status()).split() == ["2025-03-01", "12:00:00.123", "backtest", "1001", "a-1"]


def test_what_the_market_did_by_itself_has_dashes_for_the_names_that_are_missing() -> None:
    nobody = Report(session="s1", mode="live", seq=1)
    assert lines.head(nobody, status(id="")).split()[2:] == ["live", "-", "-"]


def test_a_filled_order_needs_no_return_code() -> None:
    assert (lines.word(status()), lines.tail(status())) == ("FILLED", "sell 0.1 EURUSD @ 1.1 #5")


def test_what_was_adapted_on_the_way_is_told() -> None:
    assert lines.tail(status(message="done; filling IOC")).endswith("#5 filling IOC")


def test_a_refusal_tells_its_return_code_and_text() -> None:
    refused = status(state=State.REJECTED, retcode=10014, message="Invalid volume", ticket=0, order_type="")
    assert lines.tail(refused) == "EURUSD 10014 Invalid volume"


def test_a_deal_that_opens_is_told_with_its_price_and_one_that_closes_with_its_profit() -> None:
    assert (lines.word(execution()), lines.tail(execution())) == ("deal", "sell 0.1 EURUSD @ 1.1 #5")
    assert lines.tail(execution(entry="out", ticket=6, profit=-1.2)) == "sell 0.1 EURUSD @ 1.1 #6 out of #5 -1.20"


def test_every_state_has_a_colour_or_none_and_doubt_is_the_loudest() -> None:
    assert lines.colour(status(state=State.UNKNOWN)) == "bold red"
    assert all(lines.colour(status(state=state)) for state in State)


def test_json_holds_everything_with_an_iso_time_and_plain_words() -> None:
    event = execution(profit=2.5)
    found = json.loads(json.dumps(lines.as_dict(report(event), "c1", event)))
    assert found["time"] == "2025-03-01T12:00:00.123Z"
    assert (found["time_ns"], found["client"], found["account"], found["seq"]) == (TIME, "c1", "1001", 3)
    assert (found["kind"], found["side"], found["profit"]) == ("execution", "sell", 2.5)


@given(st.integers(min_value=0, max_value=2**62))
def test_any_time_from_1970_on_is_cut_to_milliseconds_and_never_rounded_up(ns: int) -> None:
    text = lines.moment(ns)
    assert text.endswith(f".{ns // 1_000_000 % 1000:03d}")
    assert len(text) == len("2025-03-01 12:00:00.123")


def test_a_json_log_line_has_time_level_logger_message_and_the_traceback() -> None:
    try:
        raise OSError("disk full")
    except OSError:
        record = logging.LogRecord("mas.x", logging.ERROR, __file__, 1, "failed: %s", ("y",), sys.exc_info())
    record.created = 1_740_830_400.5
    record.action = "handle"
    found = json.loads(logs.JsonLines().format(record))
    assert found["time"] == "2025-03-01T12:00:00.500+00:00"
    assert (found["level"], found["logger"], found["message"], found["action"]) == (
        "error",
        "mas.x",
        "failed: y",
        "handle",
    )
    assert "disk full" in found["error"]
    assert "\n" not in logs.JsonLines().format(record)
