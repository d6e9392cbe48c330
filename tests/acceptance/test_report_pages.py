"""The pages of a report in a browser, on a desk and on a phone, by day and by night.

MAS_TEST_PICTURES names a directory that keeps what the browser showed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

import mas
from mas.testing.nodes import Unavailable
from tests.browser import DESKTOP, PHONE, Browser, find
from tests.conformance.sdk_harness import MONDAY, order
from tests.rabbit import may_install

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # the browser may have to be installed first
    pytest.mark.filterwarnings("ignore::mas.NoWorkerWarning"),
]
PAGES = ("kpi_report", "trade_chart")
SIZES = {"desktop": DESKTOP, "phone": PHONE}
EVIL = '</script><b id="evil">&"'
#: Whether every chart has more than one colour on it, by looking at its pixels.
DRAWN = """[...document.querySelectorAll('.chart:not([hidden]) canvas:first-of-type')].map(canvas => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data, seen = new Set();
    for (let i = 0; i < pixels.length; i += 4) seen.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
    return seen.size > 3;
})"""
SETTLE = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"


class Weekly(mas.Client):
    """Trades in both directions, some by stop loss, with a comment that is no friend of HTML."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.held: mas.OrderId | None = None
        self.bars = 0

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        self.bars += 1
        side, other = ("buy", "sell") if self.bars // 20 % 2 else ("sell", "buy")
        if self.bars % 20 == 5:
            self.held = self.send_order(order(order_type=side, volume=0.3, comment=EVIL[:27]))
        elif self.bars % 20 == 15 and self.held is not None:
            self.send_order(order(order_type=other, volume=0.3, position=self.held))


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a year of hours."""
    folder = tmp_path_factory.mktemp("reports")
    year = {"symbol": "EURUSD", "timeframe": "H1", "from": MONDAY, "to": MONDAY + timedelta(days=400)}
    with Weekly("", data=folder) as client:
        client.login({"account": EVIL, "password": "any", "server": EVIL})
        client.subscribe_bars({**year, "source": "synthetic", "seed": 3, "backtest_toggle": True})
        assert client.generate_kpi_report(directory=folder)["status"]
        assert client.generate_trade_chart(directory=folder)["status"]
        client.send_order(order(account="2"))
        live = {"account": "2", "backtest_toggle": True}
        assert client.generate_trade_chart(live, directory=folder / "live")["status"]
        assert client.generate_kpi_report(live, directory=folder / "live")["status"]
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        path = find(print)
    except Unavailable as error:
        # Where everything is to be proved, and root may install a browser, its absence is a failure.
        complain = pytest.fail if os.environ.get("CI") and may_install() else pytest.skip
        complain(str(error))
    with Browser(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("MAS_TEST_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_a_complaint_and_fits_its_window(
    browser: Browser, reports: Path, pictures: Path, name: str, size: str, dark: bool
) -> None:
    browser.open(reports / f"{name}.html", SIZES[size], dark=dark)
    browser.picture(pictures / f"{name}-{size}-{'dark' if dark else 'light'}.png", whole=True)
    assert browser.complaints == []
    assert browser.run("document.documentElement.scrollWidth") <= SIZES[size][0], "nobody scrolls sideways"
    assert browser.run(DRAWN) == [True]
    assert browser.run("document.querySelectorAll('.trades tbody tr').length") >= 20
    assert "Synthetic data" in browser.run("document.querySelector('.banner').textContent")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_the_network_for_nothing(browser: Browser, reports: Path, name: str) -> None:
    path = reports / f"{name}.html"
    browser.open(path, DESKTOP)
    assert browser.requests == [path.as_uri()]


@pytest.mark.parametrize("name", PAGES)
def test_no_text_of_an_account_becomes_part_of_the_page(browser: Browser, reports: Path, name: str) -> None:
    browser.open(reports / f"{name}.html", DESKTOP)
    assert browser.run("document.getElementById('evil')") is None
    assert EVIL in browser.run("document.querySelector('.facts').textContent")


def test_the_chart_shows_a_trade_that_is_picked_in_the_table(browser: Browser, reports: Path, pictures: Path) -> None:
    browser.open(reports / "trade_chart.html", DESKTOP)
    browser.run("document.querySelectorAll('.trades tbody tr')[3].click()")
    browser.run(SETTLE)
    box = browser.run(
        "(b => [b.left, b.top, b.width, b.height])(document.getElementById('chart').getBoundingClientRect())"
    )
    left, top, width, height = box
    tips = set()
    for part in range(5, 95):
        browser.mouse("mouseMoved", left + (width - 82) * part / 100, top + height / 3)
        tips.add(browser.run("document.querySelector('.tip').textContent"))
    browser.picture(pictures / "trade_chart-picked.png")
    assert any("entry: " in tip for tip in tips), "its entry is in view"
    assert any("exit: " in tip for tip in tips), "and its exit"
    assert browser.complaints == []


@pytest.fixture(scope="module")
def two_symbols(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of a month of two symbols, both of which are traded."""
    folder = tmp_path_factory.mktemp("two")
    month = {"symbol": ["EURUSD", "USDJPY"], "timeframe": "H1", "from": MONDAY, "to": MONDAY + timedelta(days=30)}

    class Both(mas.Client):
        held: ClassVar[dict[str, mas.OrderId]] = {}

        def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
            if data["time"].hour == 8:
                self.held[symbol] = self.send_order(order(symbol=symbol, volume=0.3))
            elif data["time"].hour == 20 and symbol in self.held:
                closing = self.held.pop(symbol)
                self.send_order(order(symbol=symbol, order_type="sell", volume=0.3, position=closing))

    with Both("", data=folder) as client:
        client.subscribe_bars({**month, "source": "synthetic", "seed": 3, "backtest_toggle": True})
        assert client.generate_trade_chart(directory=folder)["status"]
    return folder / "trade_chart.html"


@pytest.mark.parametrize("size", SIZES)
def test_the_chart_of_two_symbols_shows_the_one_that_is_chosen(
    browser: Browser, two_symbols: Path, pictures: Path, size: str
) -> None:
    browser.open(two_symbols, SIZES[size])
    seen = "[...document.querySelectorAll('.chart')].map(chart => !chart.hidden)"
    assert browser.run(seen) == [True, False]
    browser.run("(s => { s.value = '1'; s.dispatchEvent(new Event('change')); })(document.getElementById('symbol'))")
    browser.run(SETTLE)
    assert browser.run(seen) == [False, True]
    assert browser.run(DRAWN) == [True]
    browser.picture(pictures / f"two-symbols-{size}.png", whole=True)
    assert browser.run("document.documentElement.scrollWidth") <= SIZES[size][0]
    chosen = []
    for row in (0, 1):  # each symbol is closed in the same hour
        browser.run(f"document.querySelectorAll('.trades tbody tr')[{row}].click()")
        browser.run(SETTLE)
        chosen.append(browser.run("document.getElementById('symbol').value"))
        assert browser.run(seen) == [chosen[-1] == "0", chosen[-1] == "1"]
    assert sorted(chosen) == ["0", "1"], "the table shows a trade in the chart of its symbol"
    browser.picture(pictures / f"two-symbols-{size}-picked.png")
    assert browser.complaints == []


def test_the_table_sorts_filters_and_turns_its_pages(browser: Browser, reports: Path) -> None:
    browser.open(reports / "kpi_report.html", DESKTOP)
    number = "parseFloat(row.cells[11].textContent.replace('−', '-').replace(',', ''))"
    nets = f"[...document.querySelectorAll('.trades tbody tr')].map(row => {number})"
    browser.run("document.querySelector('th[data-name=net]').click()")
    lowest = browser.run(nets)
    assert lowest == sorted(lowest)
    browser.run("document.querySelector('[aria-label=\"Next page\"]').click()")
    assert browser.run(nets)[0] >= lowest[-1]
    browser.run("document.querySelector('[data-show=wins]').click()")
    assert min(browser.run(nets)) > 0
    assert browser.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_an_account_without_bars_has_a_page_too(browser: Browser, reports: Path, pictures: Path, name: str) -> None:
    browser.open(reports / "live" / f"{name}.html", PHONE)
    browser.picture(pictures / f"{name}-live-phone.png", whole=True)
    assert browser.complaints == []
    assert "No closed trades." in browser.run("document.body.textContent")
    assert browser.run("document.documentElement.scrollWidth") <= PHONE[0]
