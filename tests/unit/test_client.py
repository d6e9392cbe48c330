"""The outside of a client: how it is made, and what it says by itself."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest

import mas
from mas.mas import MAS
from mas_router.errors import CallerError

BUY = {"symbol": "EURUSD", "order_type": "buy", "volume": 0.1, "backtest_toggle": True}
LOGIN = {"account": 1, "password": "p", "server": "Demo"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MAS_URL", "MAS_LIVE_URL", "MAS_BACKTEST_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAS_DATA", str(tmp_path))


def test_the_module_its_client_and_its_alias_are_one_base() -> None:
    class ByModule(mas):  # type: ignore[misc, valid-type]
        pass

    class Both(mas, mas.Client):  # type: ignore[misc, valid-type]
        pass

    assert issubclass(ByModule, mas.Client)
    assert Both.__mro__.count(mas.Client) == 1
    assert MAS is mas.Client


def test_every_public_name_is_documented() -> None:
    for name, member in inspect.getmembers(mas.Client):
        if not name.startswith("_") and callable(member):
            assert (member.__doc__ or "").strip(), name


def test_making_a_client_connects_and_starts_nothing() -> None:
    with mas.Client("amqp://nowhere.invalid:1/") as client:
        assert client.check_connection(), "nothing was tried yet"


@pytest.mark.parametrize(
    ("arguments", "environment", "live", "backtest"),
    [
        ({}, {}, "", ""),
        ({}, {"MAS_URL": "a"}, "a", "a"),
        ({}, {"MAS_URL": "a", "MAS_LIVE_URL": "b"}, "b", "a"),
        ({}, {"MAS_BACKTEST_URL": "b"}, "", "b"),
        ({"url": "x"}, {"MAS_URL": "a", "MAS_LIVE_URL": "b", "MAS_BACKTEST_URL": "c"}, "x", "x"),
        ({"url": ""}, {"MAS_URL": "a"}, "", ""),
        ({"live_url": "l"}, {"MAS_URL": "a"}, "l", "a"),
        ({"url": "x", "backtest_url": "y"}, {"MAS_BACKTEST_URL": "c"}, "x", "y"),
        ({"backtest_url": ""}, {"MAS_URL": "a"}, "a", ""),
    ],
)
def test_an_argument_wins_over_the_environment_and_the_special_over_the_general(
    arguments: dict[str, Any],
    environment: dict[str, str],
    live: str,
    backtest: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with mas.Client(**arguments) as client:
        settings = client._mas.hub.settings
        assert (settings.live_url, settings.backtest_url) == (live, backtest)


def test_without_a_broker_a_login_is_one_warning_at_the_callers_line() -> None:
    with mas.Client() as client, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert client.login(LOGIN) is False
    (warning,) = caught
    assert warning.category is mas.NoWorkerWarning
    assert warning.filename == __file__
    assert "MAS_URL" in str(warning.message)


def test_without_a_broker_a_live_order_is_denied_with_what_is_missing() -> None:
    with mas.Client() as client:
        live = {**BUY, "backtest_toggle": False}
        nowhere, somewhere = client.send_order(live), client.send_order({**live, "account": 7, "server": "Demo"})
        assert nowhere.state is somewhere.state is mas.State.DENIED
        assert "call login() first" in nowhere
        assert "MAS_URL" in somewhere


def test_an_order_without_a_toggle_is_never_sent() -> None:
    with mas.Client() as client:
        sent = client.send_order({name: value for name, value in BUY.items() if name != "backtest_toggle"})
        assert "backtest_toggle is missing" in sent
        assert client.get_positions({"backtest_toggle": True}) == []


def test_a_question_about_no_account_is_answered_and_says_what_to_do() -> None:
    with mas.Client() as client:
        assert client.get_account_info()["balance"] == 10_000.0, "embedded, it moves no money to open one"
        assert client.cancel_order({"order_id": 1}) is False


def test_the_data_directory_may_be_a_path_or_a_text(tmp_path: Path) -> None:
    for data in (tmp_path, str(tmp_path)):
        with mas.Client("", data=data) as client:
            assert client.send_order(BUY).ok


@pytest.mark.parametrize("events", ["", "all", None, 1])
def test_whose_events_are_heard_is_one_of_two_words(events: Any) -> None:
    with pytest.raises(CallerError, match="'own' or 'account'"):
        mas.Client("", events=events)


def test_callbacks_that_are_not_overridden_cost_no_thread() -> None:
    with mas.Client("") as client:
        assert client.send_order(BUY).ok
        assert client._mas.hub.dispatcher._thread is None


def test_callbacks_set_on_the_object_are_heard_too() -> None:
    heard: list[str] = []

    class Strategy(mas.Client):
        def __init__(self) -> None:
            self.receive_order_status = lambda order_id, data: heard.append(data["state"])  # type: ignore[method-assign]
            super().__init__("")

    with Strategy() as client:
        client.send_order(BUY)
    assert heard == ["FILLED"]


def test_the_seed_makes_the_market() -> None:
    def bid(seed: int) -> float:
        with mas.Client("", seed=seed) as client:
            (row,) = client.get_symbols({"symbol": "EURUSD"})
            return float(row["bid"])

    assert bid(1) == pytest.approx(bid(1), abs=1e-3)
    assert bid(1) != bid(2)
