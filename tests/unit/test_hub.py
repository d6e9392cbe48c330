"""The inside of a client: which account a message belongs to, what is kept, and what is let go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mas
from mas._book import Entry
from mas._hub import Hub, Settings
from mas.order_id import Known, OrderId
from mas_router import messages as m
from mas_router.errors import CallerError, Closed
from mas_router.orders import State

MONDAY = datetime(2024, 1, 8, tzinfo=UTC)


class Silent:
    """A strategy that only counts."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        self.heard.append(str(status_data["state"]))

    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        self.heard.append("execution")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(Silent(), Settings(data=str(tmp_path)))
    yield made
    made.close(1.0)


def report(session: str, **changes: object) -> m.Report:
    status = m.Status(id="x", state=State.FILLED, ticket=5)
    fields = {"session": session, "mode": "backtest", "seq": 1, "events": (status,)}
    return m.Report.model_validate({**fields, **changes})


def test_ids_are_new_every_time_and_differ_between_clients(tmp_path: Path) -> None:
    hubs = [Hub(Silent(), Settings(data=str(tmp_path))) for _ in range(3)]
    ids = [hub.new_id() for hub in hubs for _ in range(100)]
    assert len(set(ids)) == len(ids)
    assert len({hub.client for hub in hubs}) == 3


def test_the_passwords_in_urls_are_in_no_repr() -> None:
    assert "hunter2" not in repr(Settings(live_url="amqp://u:hunter2@h/", backtest_url="amqp://u:hunter2@h/"))


def test_a_slow_answer_never_makes_the_workers_clock_seem_further_ahead_than_it_is(hub: Hub) -> None:
    account, second = hub.backtest_account("", "1"), 10**9
    ahead = 5 * second
    for delay in (3 * second, second, 4 * second):
        hub.on_pong(m.Pong(id="p", session=account.session, time=time.time_ns() + ahead - delay))
    assert ahead - 2 * second < account.offset <= ahead - second, "the fastest answer counts, and it took a second"
    for _ in range(20):
        hub.on_pong(m.Pong(id="p", session=account.session, time=time.time_ns() - second))
    assert account.offset <= -second, "a clock that was set back is believed after a few answers"


def test_an_account_is_opened_once_and_found_again(hub: Hub) -> None:
    first = hub.backtest_account("Demo", "1")
    assert hub.backtest_account("Demo", "1") is first
    assert hub.backtest_account("Demo", "2") is not first
    assert len(hub.accounts()) == 2


def test_a_report_of_an_account_that_is_not_this_clients_calls_nobody(hub: Hub) -> None:
    hub.backtest_account("Demo", "1")
    hub.on_report(report("somebody-elses"))
    assert hub.dispatcher.drain(5)
    assert hub._owner.heard == []  # type: ignore[attr-defined]
    assert len(hub.accounts()) == 1


def test_a_client_that_asked_for_everything_hears_other_clients(tmp_path: Path) -> None:
    owner = Silent()
    hub = Hub(owner, Settings(data=str(tmp_path), whole_account=True))
    hub.backtest_account("Demo", "1")
    hub.on_report(report("somebody-elses", server="Demo", login="1"))
    hub.close(2.0)
    assert owner.heard == ["FILLED"]


def test_a_gap_in_what_another_client_does_is_told_and_the_rest_is_heard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub(Silent(), Settings(data=str(tmp_path), whole_account=True))
    hub.line("backtest")
    for seq, name in ((1, "x"), (4, "y")):
        status = m.Status(id=name, state=State.FILLED, ticket=seq)
        hub.on_report(report("elsewhere", login="7", seq=seq, events=(status,)))
    hub.dispatcher.drain(5)
    assert hub._owner.heard == ["FILLED", "FILLED"]  # type: ignore[attr-defined]
    assert "2 reports of account 7 of another client were lost" in caplog.text
    hub.close(1.0)


def test_an_order_that_is_only_listened_to_cannot_be_cancelled_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids: list[str] = []

    class Listening(mas.Client):
        def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
            ids.append(order_id)

    with Listening("", events="account", data=tmp_path) as client:
        hub = client._mas.hub
        hub.line("backtest")
        placed = m.Status(id="x", state=State.ACCEPTED, ticket=5)
        hub.on_report(report("elsewhere", events=(placed,)))
        hub.dispatcher.drain(5)
        assert client.cancel_order({"order_id": ids[0]}) is False
        hub.dispatcher.drain(5)
        assert hub.accounts()[0].book.in_flight == {}
    assert len(ids) == 2, "it was placed, and its cancellation was refused"


def test_a_ticket_in_two_accounts_belongs_to_neither(hub: Hub) -> None:
    first, second = (hub.backtest_account("Demo", login) for login in "12")
    entry = Entry(Known("a"), m.TradeRequest(action=1), "buy")
    first.book.adopt(entry, 5)
    assert hub.owner_of(5) is first
    assert hub.owner_of(6) is None
    second.book.adopt(entry, 5)
    with pytest.raises(CallerError, match="2 accounts have a ticket 5"):
        hub.owner_of(5)


def test_an_order_id_belongs_to_the_account_that_it_came_from(hub: Hub) -> None:
    account = hub.backtest_account("Demo", "1")

    def order_id(home: str) -> OrderId:
        known = Known("a")
        known.home = home
        return OrderId("5", known)

    assert hub.home_of(order_id(account.home)) is account
    assert hub.home_of(order_id("")) is None
    assert hub.home_of(order_id("Real/77")) is None, "another client's live order has the same ticket at the broker"
    with pytest.raises(CallerError, match="the simulated account of order 5 is closed"):
        hub.home_of(order_id("a-session-that-is-gone"))


def test_sessions_that_were_replaced_are_let_go(tmp_path: Path) -> None:
    with mas.Client("", data=tmp_path) as client:
        for _ in range(20):
            client.subscribe_bars(
                {
                    "symbol": "EURUSD",
                    "timeframe": "M1",
                    "from": MONDAY,
                    "to": MONDAY + timedelta(minutes=3),
                    "source": "synthetic",
                    "backtest_toggle": True,
                }
            )
        assert len(client._mas.hub.accounts()) == 1


def test_a_closed_hub_opens_nothing(hub: Hub) -> None:
    hub.close(1.0)
    assert not hub.is_connected()
    for call in (hub.check_open, lambda: hub.line("backtest"), lambda: hub.backtest_account("", "")):
        with pytest.raises(Closed, match=r"The client is closed\."):
            call()


def test_a_client_of_another_process_is_refused(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_pid", -1)
    with pytest.raises(CallerError, match="after a fork"):
        hub.check_open()


def test_a_refusal_of_an_unknown_command_changes_nothing(hub: Hub) -> None:
    account = hub.backtest_account("Demo", "1")
    for code in ("internal", "session_closed"):
        hub.on_refused(m.Refused(id="never-sent", code=code, message="boo"))
    hub.on_bounce("never-sent", "expired")
    assert account.lost == ""


def test_an_account_that_its_worker_closed_is_lost_and_a_login_makes_room(hub: Hub) -> None:
    account = hub.backtest_account("Demo", "1")
    hub.on_refused(m.Refused(id=account.session, code="session_closed", message="nobody used it"))
    assert account.lost.startswith("nobody used it")
    assert "login()" in account.lost
    hub.forget_backtest("Demo", "1")
    assert hub.backtest_account("Demo", "1") is not account
