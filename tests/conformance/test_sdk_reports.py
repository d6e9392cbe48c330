"""Reports of a client: in the last callback, after the replay, and of an account that follows the clock."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mas
from tests.conformance.sdk_harness import MONDAY, REPLAY, Data, World, order

TWO_DAYS: Data = {**REPLAY, "timeframe": "M15", "to": MONDAY + timedelta(days=2)}
KPI_FIELDS = 11


class Trader(mas.Client):
    """Holds a long and a short position in turn, and both at times; notes what the trade server says it is worth."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.equities: list[float] = []
        self.reports: list[Data] = []
        self.held: dict[str, mas.OrderId] = {}
        self.directory: Path | None = None

    def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
        row = len(self.equities)
        if row % 7 == 3:
            self.turn(symbol, "buy")
        if row % 11 == 5:
            self.turn(symbol, "sell")
        self.equities.append(self.get_account_info({"backtest_toggle": True})["equity"])
        if is_end and self.directory is not None:
            self.reports += [
                self.generate_data_report(),
                self.generate_kpi_report(directory=self.directory),
                self.generate_trade_chart(directory=self.directory),
            ]

    def receive_ticks(self, symbol: str, data: Data, is_end: bool = False) -> None:
        self.receive_bars(symbol, data, is_end)

    def turn(self, symbol: str, side: str) -> None:
        """Open a position on this side, or close it."""
        held = self.held.pop(side, None)
        other = {"buy": "sell", "sell": "buy"}[side]
        if held is None:
            self.held[side] = self.send_order(order(symbol=symbol, order_type=side, volume=0.2))
        else:
            self.send_order(order(symbol=symbol, order_type=other, volume=0.2, position=held))

    def curve(self) -> Any:
        return self._mas.reports.report({}).curve


class TwoSymbols(Trader):
    """Holds positions of two symbols that overlap; notes the equity of each moment, which is that of its last row."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.row = 0
        self.moments: dict[datetime, float] = {}

    def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
        row = self.row = self.row + 1
        if row % 7 == 3:
            self.turn(symbol, "buy")
        if row % 11 == 5:
            self.turn(symbol, "sell")
        finest = data.get("timeframe") in (None, "M15")
        moment = data["time"] if finest else max(self.moments, default=data["time"])
        self.moments[moment] = self.get_account_info({"backtest_toggle": True})["equity"]

    def turn(self, symbol: str, side: str) -> None:
        """As before, for each symbol by itself."""
        held = self.held.pop(symbol + side, None)
        other = {"buy": "sell", "sell": "buy"}[side]
        if held is None:
            self.held[symbol + side] = self.send_order(order(symbol=symbol, order_type=side, volume=0.2))
        else:
            self.send_order(order(symbol=symbol, order_type=other, volume=0.2, position=held))


class BrokenPath:
    """What calls itself a path and is none."""

    def __fspath__(self) -> str:
        raise RuntimeError("never mind")


@pytest.mark.parametrize("symbol", ["EURUSD", "USDJPY", "EURGBP", "US500"])
def test_the_equity_of_a_report_is_the_trade_servers_own_at_every_bar(world: World, symbol: str) -> None:
    with world.client(Trader) as client:
        client.subscribe_bars({**TWO_DAYS, "symbol": symbol})
        assert len(set(client.equities)) > 20
        assert client.curve().equity.tolist() == pytest.approx(client.equities, abs=0.03)


def test_the_equity_of_a_replay_of_ticks_is_the_trade_servers_own_at_every_tick(world: World) -> None:
    ticks = {name: value for name, value in REPLAY.items() if name != "timeframe"}
    with world.client(Trader) as client:
        client.subscribe_ticks({**ticks, "to": MONDAY + timedelta(minutes=20)})
        assert len(client.equities) > 100
        assert client.curve().equity.tolist() == pytest.approx(client.equities, abs=0.03)
        assert client.generate_data_report()["status"]


@pytest.mark.parametrize("symbols", [["EURUSD", "GBPUSD"], ["USDJPY", "EURGBP"]])
def test_the_equity_of_two_symbols_is_the_trade_servers_own_at_every_moment(world: World, symbols: list[str]) -> None:
    with world.client(TwoSymbols) as client:
        client.subscribe_bars({**TWO_DAYS, "symbol": symbols, "timeframe": ["M15", "H1"]})
        assert {deal["symbol"] for deal in client.get_order_history() if deal["symbol"]} == set(symbols)
        assert len(set(client.moments.values())) > 100
        curve = client.curve()
        assert curve.time.tolist() == [int(moment.timestamp() * 1000) for moment in client.moments]
        assert curve.equity.tolist() == pytest.approx(list(client.moments.values()), abs=0.05)


def test_the_equity_of_the_ticks_of_two_symbols_is_the_trade_servers_own(world: World) -> None:
    ticks = {name: value for name, value in REPLAY.items() if name != "timeframe"}
    with world.client(TwoSymbols) as client:
        client.subscribe_ticks({**ticks, "symbol": ["EURUSD", "USDJPY"], "to": MONDAY + timedelta(minutes=20)})
        assert len(client.moments) > 100
        assert client.curve().equity.tolist() == pytest.approx(list(client.moments.values()), abs=0.05)


def test_netting_with_reversals_is_valued_as_the_trade_server_does(world: World) -> None:
    class Netter(Trader):
        def turn(self, symbol: str, side: str) -> None:
            volume = 0.3 if side == "sell" else 0.1
            self.send_order(order(symbol=symbol, order_type=side, volume=volume))

    with world.client(Netter) as client:
        client.subscribe_bars({**TWO_DAYS, "margin_mode": "netting"})
        assert any(deal["entry"] == mas.mt5.DEAL_ENTRY_INOUT for deal in client.get_order_history())
        assert client.curve().equity.tolist() == pytest.approx(client.equities, abs=0.03)


def test_the_last_callback_and_the_program_after_it_get_the_same_reports(world: World, tmp_path: Path) -> None:
    with world.client(Trader) as client:
        client.directory = tmp_path / "reports"
        client.subscribe_bars(TWO_DAYS)
        data, kpis, chart = client.reports
        assert client.generate_data_report() == data
    assert data["status"] is True
    assert len(data["data"]["performance_metrics"]) == KPI_FIELDS
    for answer, name in ((kpis, "kpi_report.html"), (chart, "trade_chart.html")):
        assert answer == {"status": True, "path": str(tmp_path / "reports" / name)}
        assert "Synthetic data" in Path(answer["path"]).read_text(encoding="utf-8")


def test_the_figures_are_those_of_the_deals_and_the_account(world: World) -> None:
    with world.client(Trader) as client:
        client.subscribe_bars({**TWO_DAYS, "capital": 5000})
        data = client.generate_data_report()["data"]
        deals, account = client.get_order_history(), client.get_account_info()
    out = [deal for deal in deals if deal["entry"] == mas.mt5.DEAL_ENTRY_OUT]
    profits = [sum(deal[name] for name in ("profit", "swap", "commission", "fee")) for deal in out]
    won, lost = sum(p for p in profits if p > 0), -sum(p for p in profits if p < 0)
    assert data["general_data"]["number_of_trades"] == len(profits) == len(json.loads(data["data_source"]))
    assert data["general_data"]["total_profit_loss"] == pytest.approx(account["equity"] - 5000, abs=0.005)
    assert data["performance_metrics"]["profit_factor"] == pytest.approx(won / lost, abs=1e-5)
    assert data["annual_pnl_usd"] == {"annual_pnl_usd": {"2024": account["equity"]}}


def test_a_report_in_the_middle_of_a_replay_does_not_look_into_the_future(world: World) -> None:
    seen: list[int] = []

    class Early(Trader):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            super().receive_bars(symbol, data, is_end)
            if len(self.equities) == 50:
                seen.append(len(self.curve().time))

    with world.client(Early) as client:
        client.subscribe_bars(TWO_DAYS)
    assert seen == [50]


def test_an_account_that_follows_the_clock_is_reported_over_its_deals(world: World, tmp_path: Path) -> None:
    with world.client(Trader) as client:
        bought = client.send_order(order())
        assert client.generate_data_report()["data"]["general_data"]["number_of_trades"] == 0, "it is still open"
        client.send_order(order(order_type="sell", position=bought))
        data = client.generate_data_report()["data"]
        assert data["general_data"]["number_of_trades"] == 1
        assert client.generate_kpi_report(directory=tmp_path)["status"]
        assert client.generate_trade_chart(directory=str(tmp_path))["status"]


def test_what_cannot_be_reported_is_told_and_not_raised(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with world.client(Trader) as client:
        assert "no account is attached" in client.generate_data_report()["error"]
        client.get_account_info({"backtest_toggle": True})
        assert "nothing to report: there is no deal" in client.generate_kpi_report()["error"]
        client.send_order(order())
        for answer in (
            client.generate_data_report({"symbol": "EURUSD"}),
            client.generate_data_report("EURUSD"),  # type: ignore[arg-type]
            client.generate_kpi_report(directory=3),  # type: ignore[arg-type]
            client.generate_kpi_report(directory="a\0b"),
            client.generate_kpi_report(directory=BrokenPath()),
            client.generate_trade_chart(directory=tmp_path / "file"),
        ):
            assert answer["status"] is False
            assert answer["error"]
    assert "closed" in client.generate_trade_chart()["error"]
