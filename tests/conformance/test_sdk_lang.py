"""What a user reads in the language of `set_lang`, embedded and over RabbitMQ; what programs read stays the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import mas
from tests.conformance.sdk_harness import MONDAY, REPLAY, Data, Recorder, World, order


def test_answers_and_messages_are_in_the_language_and_codes_are_not(world: World) -> None:
    with world.client() as client:
        client.set_lang("zh-tw")
        refused = client.send_order(order(volume=0.015))
        assert refused.startswith("無效的交易量：交易量 0.015")
        assert refused.message in refused
        assert (refused.retcode, refused.state) == (10014, mas.State.REJECTED)
        (status,) = client.wait_for(refused, "REJECTED")
        assert status.data["message"].startswith("無效的交易量")
        assert status.data["reason"] == "refused"
        assert status.data["retcode_name"] == "TRADE_RETCODE_INVALID_VOLUME"
        denied = client.send_order(order(symbl="EURUSD"))
        assert denied == "未知的欄位 'symbl'；您是指 'symbol' 嗎？"
        filled = client.send_order(order())
        status, _ = client.wait_for(filled, "FILLED", "execution")
        assert status.data["message"] == "請求已執行"


def test_each_client_has_its_own_language_and_may_change_it(world: World) -> None:
    with world.client() as one, world.client() as other:
        one.set_lang("zh-cn")
        assert one.send_order(order(volume=0)).startswith("volume=0 不允许")
        assert other.send_order(order(volume=0)).startswith("volume=0 is not allowed")
        one.set_lang("en")
        assert one.send_order(order(volume=0)).startswith("volume=0 is not allowed")


def test_errors_that_are_raised_are_in_the_language(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with world.client() as client:
        client.set_lang("zh-cn")
        with pytest.raises(mas.CallerError, match="缺少 'from' 或 'to'"):
            client.subscribe_bars({"symbol": "EURUSD", "timeframe": "M1", "backtest_toggle": True})
        with pytest.raises(mas.DataMissing, match=r"没有 EURUSD 从 .*的完整报价"):
            client.subscribe_bars({**REPLAY, "source": "catalog"})
        with pytest.raises(mas.InvalidField, match="不允许") as caught:
            client.login({"account": 0, "password": "p", "server": "s"})
        assert caught.value.field == "account"
        assert not client.cancel_order({"order_id": "x"})
        assert "单号" in caplog.text
        with pytest.raises(mas.InvalidField, match="以下之一：en, zh-tw, zh-cn"):
            client.set_lang("de")


def test_the_warning_of_a_login_without_a_worker_is_in_the_language_and_points_at_the_call() -> None:
    with mas.Client("") as client:
        client.set_lang("zh-tw")
        with pytest.warns(mas.NoWorkerWarning, match="回測可正常使用；真實訂單將被拒絕。") as caught:
            client.login({"account": 7, "password": "p", "server": "Demo"})
        assert caught[0].filename == __file__


def test_reports_are_in_the_language(world: World, tmp_path: Path) -> None:
    class Once(Recorder):
        def receive_bars(self, symbol: str, data: Data, is_end: bool = False) -> None:
            if data["time"] == MONDAY:
                self.opened = self.send_order(order())
            elif is_end:
                self.send_order(order(order_type="sell", position=self.opened))

    with world.client(Once) as client:
        client.set_lang("zh-tw")
        client.subscribe_bars(REPLAY)
        done = client.generate_kpi_report(directory=tmp_path)
        assert done["status"], done
        assert "績效報告" in Path(done["path"]).read_text(encoding="utf-8")
