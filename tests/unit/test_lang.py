"""Messages in the languages of `set_lang`: what is in the table is what the code says, and it comes out whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas._lang import LANGUAGES, Language, check
from mas._texts import TEXTS
from mas_router.errors import InvalidField
from mas_router.mt5_tables import RETCODE_TEXT

ROOT = Path(__file__).parents[2]
TAIWAN, CHINA = Language("zh-tw").say, Language("zh-cn").say
#: The same characters in the one and in the other script.
TRADITIONAL = "單帳戶號報價倉無時間請個關閉資訊還這種應為開連線數據實過點邊級"
SIMPLIFIED = "单账户号报价仓无时间请个关闭资讯还这种应为开连线数据实过点边级"


@cache
def made() -> frozenset[str]:
    """Every text of the code, with `{}` for what varies in it."""
    files = (path for root in ("sdk", "router", "workers") for path in (ROOT / root).rglob("*.py"))
    return frozenset(text for path in files if path.name != "_texts.py" for text in texts(path))


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = (str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield "".join(parts).removeprefix("; ")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{\w+(:\w+)?\}", "{}", node.value)


def test_every_text_of_the_table_is_made_by_the_code() -> None:
    assert not sorted(TEXTS.keys() - made())


def test_every_return_code_has_its_text_in_every_language() -> None:
    assert set(RETCODE_TEXT.values()) <= TEXTS.keys()


@pytest.mark.parametrize("english", TEXTS)
def test_a_translation_has_what_varies_and_is_in_its_own_script(english: str) -> None:
    taiwan, china = TEXTS[english]
    for text in (taiwan, china):
        numbered = re.findall(r"\{(\d+)\}", text)
        places = sorted(map(int, numbered)) if numbered else list(range(text.count("{}")))
        assert places == list(range(english.count("{}")))
    assert not set(taiwan) & (set(SIMPLIFIED) - set(TRADITIONAL)), taiwan
    assert not set(china) & (set(TRADITIONAL) - set(SIMPLIFIED)), china


@pytest.mark.parametrize(
    ("english", "taiwan", "china"),
    [
        ("Market closed", "市場休市", "市场已关闭"),
        (
            "Invalid volume: volume 0.015 is not 0.01 to 100 in steps of 0.01",
            "無效的交易量：交易量 0.015 不是 0.01 到 100，每級 0.01",
            "无效的交易量：交易量 0.015 不是 0.01 到 100，步长 0.01",
        ),
        (
            "volume=-1 is not allowed: a number from 1e-08 to 1e+09",
            "volume=-1 不允許；允許的是：1e-08 到 1e+09 的數字",
            "volume=-1 不允许；允许的是：1e-08 到 1e+09 的数字",
        ),
        ("missing fields 'symbol', 'volume'", "缺少欄位 'symbol', 'volume'", "缺少字段 'symbol', 'volume'"),
        (
            "unknown field 'symbl'; did you mean 'symbol'?",
            "未知的欄位 'symbl'；您是指 'symbol' 嗎？",
            "未知的字段 'symbl'；您是指 'symbol' 吗？",
        ),
        (
            "no MT5 worker serves account 7 at Demo on localhost:5672. Backtests work; live orders will be refused.",
            "localhost:5672 上沒有 MT5 工作程式服務帳戶 7（Demo）。回測可正常使用；真實訂單將被拒絕。",
            "localhost:5672 上没有 MT5 工作进程服务账户 7（Demo）。回测可正常使用；真实订单将被拒绝。",
        ),
        (
            "Request executed; EURUSD does not allow filling FOK, so IOC was used",
            "請求已執行；EURUSD 不允許成交方式 FOK，已改用 IOC",
            "请求已执行；EURUSD 不允许成交方式 FOK，已改用 IOC",
        ),
        (
            "Invalid price: price 1.10020 is on the wrong side of 1.10010",
            "無效的價格：價格 1.10020 位於 1.10010 錯誤的一側",
            "无效的价格：价格 1.10020 位于 1.10010 错误的一侧",
        ),
    ],
)
def test_messages_are_put_together_from_what_is_known(english: str, taiwan: str, china: str) -> None:
    assert (Language().say(english), TAIWAN(english), CHINA(english)) == (english, taiwan, china)


@given(st.text(max_size=200))
def test_what_is_not_known_stays_as_it_is_and_nothing_fails(text: str) -> None:
    assert Language().say(text) == text
    assert isinstance(TAIWAN(text), str)
    assert TAIWAN(f"symbol {text!r} is not known here").startswith("未知的商品")


@pytest.mark.parametrize("english", TEXTS)
def test_what_has_been_translated_is_not_translated_again(english: str) -> None:
    said = CHINA(english.replace("{}", "7"))
    assert said == TEXTS[english][1].format(*["7"] * 12)
    assert CHINA(said) == said


def test_a_very_long_text_is_left_alone() -> None:
    text = "missing fields " + "'a', " * 5000
    assert TAIWAN(text) == text


@pytest.mark.parametrize("wrong", ["de", "", None, 1, "zh", [], b"en"])
def test_an_unknown_language_is_an_error_that_lists_what_there_is(wrong: object) -> None:
    with pytest.raises(InvalidField, match="one of en, zh-tw, zh-cn"):
        check(wrong)


def test_a_language_is_known_in_any_case() -> None:
    assert [check(lang.upper()) for lang in LANGUAGES] == list(LANGUAGES)
