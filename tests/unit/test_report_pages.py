"""The pages of a report: thinned without losing extremes, escaped, in every language, of a size that opens."""

from __future__ import annotations

import json
import math
import re
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas._report.curve import Market
from mas._report.page import embedded, figure, money, percents
from mas._report.report import Account, Report, report
from mas._report.texts import SCRIPT, TEXTS
from mas._report.thin import candles, digits_of, group_of, rows_to_show, steps, whole
from mas_router.errors import CallerError
from tests.unit.report_kit import BUY, IN, OUT, SELL, deal, deposit

START, MINUTE = 1_704_067_200_000, 60_000
INFO = {"login": "1001", "server": "Demo", "currency": "USD", "balance": 10_000.0, "equity": 10_000.0}


def asset(name: str) -> str:
    return (files("mas._report") / name).read_text(encoding="utf-8")


def walk(rows: int) -> Market:
    """A market that wanders."""
    rng = np.random.default_rng(5)
    close = np.round(1.1 + np.cumsum(rng.normal(0, 0.0001, rows)), 5)
    high, low = np.round(close + 0.0002, 5), np.round(close - 0.0002, 5)
    ones = np.full(rows, 100_000.0)
    return Market("EURUSD", START + MINUTE * np.arange(rows), close, high, low, close, close + 0.0001, ones, ones)


def made(rows: int, trades: int, **account: Any) -> Report:
    market, deals = walk(rows), [deposit(10_000.0, START)]
    for number in range(trades):
        at = START + number * (rows // trades) * MINUTE
        deals += [deal(BUY, IN, 0.1, 1.1, position_id=number + 1, at=at)]
        deals += [deal(SELL, OUT, 0.1, 1.1, position_id=number + 1, at=at + MINUTE, profit=(-1) ** number * 3.5)]
    head = Account(**{"info": INFO, "mode": "backtest", "symbol": "EURUSD", "timeframe": "M1", **account})
    return report(head, deals, [market], START)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


# ---- fewer points ----------------------------------------------------------------------------------------------------


@given(rows=st.integers(1, 500), limit=st.integers(1, 100))
def test_candles_that_are_put_together_lose_no_high_and_no_low(rows: int, limit: int) -> None:
    market = walk(rows)
    drawn = candles(market, group_of([market], limit))
    assert len(drawn.time) <= limit
    assert (drawn.high.max(), drawn.low.min()) == (market.high.max(), market.low.min())
    assert (drawn.open[0], drawn.close[-1], drawn.time[0]) == (market.open[0], market.close[-1], market.time[0])
    for number, last in enumerate(drawn.last):
        part = slice(number * drawn.group, last + 1)
        assert (drawn.high[number], drawn.low[number]) == (market.high[part].max(), market.low[part].min())


def test_a_thinned_curve_keeps_its_extremes_and_its_deepest_drawdown() -> None:
    held = [deposit(10_000.0, START), deal(BUY, IN, 1.0, 1.1, at=START)]
    curve = report(Account(INFO, "backtest"), held, [walk(20_000)], START).curve
    rows = rows_to_show(curve, 400)
    assert len(rows) <= 402
    assert (rows[0], rows[-1]) == (0, len(curve.time) - 1)
    for start in range(0, 20_000, 200):  # stretch by stretch: the first hundredth of the rows, the second ...
        part, kept = slice(start, start + 200), rows[(rows >= start) & (rows < start + 200)]
        for values in (curve.equity, -curve.equity, curve.drawdown):
            assert values[kept].max() == values[part].max()


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_prices_in_a_page_are_exactly_those_of_the_market(points: list[int]) -> None:
    prices = np.array(points) / 1e5
    digits = digits_of(prices)
    assert digits <= 5
    assert np.round(np.cumsum(steps(whole(prices, digits))) / 10**digits, 5).tolist() == np.round(prices, 5).tolist()


# ---- pages -----------------------------------------------------------------------------------------------------------


def test_a_year_of_minutes_with_thousands_of_trades_makes_pages_of_few_megabytes() -> None:
    large = made(372_000, 7_000)
    chart, kpis = large.chart_page(asset), large.kpi_page(asset)
    assert len(chart) < 3_000_000
    assert len(kpis) < 1_500_000
    assert "Each candle holds 10 bars" in chart
    assert len(data_of(chart)["trades"]["net"]) == 7_000


def test_made_up_prices_are_named_so_on_every_page() -> None:
    for page in (made(100, 2, synthetic=True).kpi_page(asset), made(100, 2, synthetic=True).chart_page(asset)):
        assert '<p class="banner" role="note">Synthetic data' in page
    assert "Synthetic data" not in made(100, 2).kpi_page(asset)


def test_no_text_from_outside_is_part_of_the_page() -> None:
    evil = "</script><script>alert(1)</script>&\"'\u2028"
    page = made(100, 2, info={**INFO, "login": evil, "server": evil}).kpi_page(asset)
    assert "<script>alert" not in page
    assert page.count("<script") == 2, "the data and the program"
    text = embedded({"comment": evil})
    inside = text[text.index("{") : text.rindex("}") + 1]
    assert not {"<", ">", "&", "\u2028"} & set(inside)
    assert json.loads(inside) == {"comment": evil}


def test_a_page_loads_nothing_and_allows_nothing_but_its_own_program_and_style() -> None:
    page = made(100, 2).chart_page(asset)
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src &#x27;none&#x27;; style-src &#x27;sha256-" in page
    assert " style=" not in page


@pytest.mark.parametrize("lang", TEXTS)
def test_a_page_is_in_one_language(lang: str) -> None:
    for page in (made(100, 2).kpi_page(asset, lang), made(100, 2).chart_page(asset, lang)):
        assert "{" not in re.sub(r"<(style|script).*?</\1>", "", page, flags=re.DOTALL), "a place was not filled"
        assert data_of(page)["texts"].keys() == set(SCRIPT)


def test_every_language_has_every_text_with_the_same_places() -> None:
    for texts in TEXTS.values():
        assert texts.keys() == TEXTS["en"].keys()
        for name, text in texts.items():
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", TEXTS["en"][name])), name
        assert len(texts["months"].split()) == 12


def test_an_account_that_has_not_traded_has_no_report() -> None:
    with pytest.raises(CallerError, match="there is no deal on the simulated account 1001"):
        report(Account(INFO, "backtest"), [deposit(10_000.0)], (), START)


def test_numbers_are_shown_as_people_write_them() -> None:
    assert money(-1234.567, "USD") == "−1,234.57 USD"
    assert money(-0.001, sign=True) == "+0.00"
    assert (percents(12.345, "n/a"), percents(None, "n/a"), percents(math.inf, "n/a")) == ("12.35 %", "n/a", "∞ %")
    assert percents(12_345_678.0, "n/a") == "1.23e+07 %"
    assert (figure(1.005, ""), figure(math.inf, ""), figure(None, "n/a")) == ("1.00", "∞", "n/a")
