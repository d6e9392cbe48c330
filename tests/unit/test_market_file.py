from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mas_router import mt5
from mas_router.errors import CallerError, InvalidField
from sim_worker.charges import Commission, Tier
from sim_worker.market_file import WORDS, read_market, worded, written
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS, ServerSettings, read_server

PAIR = '[symbols.EURXXX]\ncurrency_base = "EUR"\ncurrency_profit = "USD"\n'


def test_a_symbol_has_the_defaults_of_a_specification_where_nothing_is_said() -> None:
    market = read_market('[symbols.X]\ndescription = "something"')
    assert market.symbols == {"X": SymbolSpec("X", "something", "X")}


def test_words_of_mt5_stand_for_its_numbers_and_lists_for_its_flags() -> None:
    words = 'execution = "instant"\nfilling_mode = ["fok", "boc"]\nswap_rollover3days = "Friday"'
    text = f"[symbols.X]\n{words}\norder_mode = 127"
    spec = read_market(text).symbols["X"]
    assert spec.execution == mt5.SYMBOL_TRADE_EXECUTION_INSTANT
    assert spec.filling_mode == 5
    assert spec.swap_rollover3days == 5
    assert spec.order_mode == 127


def test_a_table_takes_over_from_the_one_it_is_like_over_several_steps() -> None:
    text = """
        [templates.base]
        digits = 3
        volume_min = 0.5
        [symbols.A]
        like = "base"
        volume_min = 1
        path = "Group"
        [symbols.B]
        like = "A"
        digits = 2
    """
    made = read_market(text).symbols["B"]
    assert (made.digits, made.volume_min, made.path) == (2, 1.0, "Group\\B")


def test_a_symbol_may_be_like_a_built_in_one() -> None:
    made = read_market('[symbols.EURUSDx]\nlike = "EURUSD"\nstops_level = 30', SYMBOLS).symbols["EURUSDx"]
    assert (made.stops_level, made.swap_long, made.path) == (30, SYMBOLS["EURUSD"].swap_long, "Forex\\EURUSDx")


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_writing_a_specification_and_reading_it_again_changes_nothing(name: str) -> None:
    table = written(SYMBOLS[name])
    assert read_market(f'[symbols.{name}]\nlike = "{name}"', {name: SYMBOLS[name]}).symbols[name] == SYMBOLS[name]
    assert table.keys() == {item.name for item in fields(SymbolSpec) if item.init} - {"name"}


@pytest.mark.parametrize(
    ("text", "named", "allowed"),
    [
        ("symbols = 3", "symbols", "tables such as [symbols.NAME]"),
        ("[symbol.X]", "symbol", "symbols"),
        ("[symbols.X]\ndigit = 5", "digit", "digits"),
        ("[symbols.X]\ndigits = 5.5", "symbols.X.digits=5.5", "a whole number"),
        ("[symbols.X]\ndigits = 9", "symbols.X.digits=9", "0 to 8"),
        ("[symbols.X]\ndigits = true", "symbols.X.digits=True", "a whole number"),
        ('[symbols.X]\ncontract_size = "1"', "symbols.X.contract_size='1'", "a number"),
        ("[symbols.X]\ncontract_size = nan", "symbols.X.contract_size=nan", "above 0"),
        ('[symbols.X]\nexecution = "fast"', "symbols.X.execution='fast'", "request, instant, market, exchange"),
        ("[symbols.X]\nexecution = 7", "symbols.X.execution=7", "request, instant, market, exchange"),
        ("[symbols.X]\nfilling_mode = 8", "symbols.X.filling_mode=8", "fok, ioc, boc"),
        ('[symbols.X]\nfilling_mode = ["fok", 3]', "symbols.X.filling_mode=3", "fok, ioc, boc"),
        ('[symbols.X]\nlike = "Y"', "symbols.X.like='Y'", "another table"),
        ('[symbols.X]\nlike = "X"', "symbols.X.like='X'", "another table"),
        ('[symbols.X]\nlike = "Y"\n[symbols.Y]\nlike = "X"', "symbols.X.like='X'", "another table"),
        ("[symbols.X]\ninfo = { colour = 1 }", "symbols.X.info='colour'", "exchange"),
        ('[accounts.1]\nmargin_mode = "both"', "accounts.1.margin_mode='both'", "hedging"),
        ('[accounts.1]\nleverage = "high"', "accounts.1.leverage='high'", "a whole number"),
        ("builtin = 3", "builtin=3", "true or false"),
        ("[symbols", "market file", "a TOML text"),
    ],
)
def test_what_is_wrong_is_named_with_its_table_its_value_and_what_is_allowed(
    text: str, named: str, allowed: str
) -> None:
    with pytest.raises(InvalidField) as caught:
        read_market(text)
    assert named in str(caught.value)
    assert allowed in str(caught.value)


@given(st.text(max_size=200))
def test_no_text_does_anything_but_read_or_be_refused(text: str) -> None:
    with suppress(InvalidField):
        read_market(text)


def test_a_text_longer_than_any_market_is_refused_unread() -> None:
    with pytest.raises(InvalidField, match="at most 4000000"):
        read_market("#" * 4_000_001)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_the_words_of_a_field_stand_for_the_numbers_that_they_came_from(name: str) -> None:
    for spec in SYMBOLS.values():
        word = worded(WORDS[name], getattr(spec, name))
        assert getattr(read_market(f"[symbols.X]\n{name} = {json.dumps(word)}").symbols["X"], name) == getattr(
            spec, name
        )


# ---- the trade server ------------------------------------------------------------------------------------------------


def test_an_account_has_the_settings_of_its_login_else_the_default_ones_and_what_is_asked_for_wins() -> None:
    text = """
        [accounts.default]
        leverage = 30
        [accounts.1001]
        like = "default"
        deposit = 500
        currency = "EUR"
    """
    server = ServerSettings(read_market(text))
    mine, other = server.account("1001", "Demo", deposit=None), server.account("2", "Demo", deposit=7.0)
    assert (mine.login, mine.server, mine.leverage, mine.deposit, mine.currency) == ("1001", "Demo", 30, 500.0, "EUR")
    assert (other.leverage, other.deposit, other.currency) == (30, 7.0, "USD")
    assert ServerSettings().account("", "").deposit == AccountSpec().deposit


def test_money_has_the_decimals_of_its_currency_unless_the_file_says_otherwise() -> None:
    server = ServerSettings(read_market('[accounts.1]\ncurrency = "JPY"\n[accounts.2]\ncurrency_digits = 3\n'))
    assert [server.account(login, "").currency_digits for login in ("1", "2", "3")] == [0, 3, 2]
    assert server.account("3", "", currency="JPY").currency_digits == 0
    assert server.account("1", "", currency="BTC").currency_digits == 8
    assert server.account("2", "", leverage=30).currency_digits == 3


def test_a_market_file_adds_to_the_built_in_symbols_replaces_them_or_stands_alone() -> None:
    assert ServerSettings(read_market(PAIR)).symbols.keys() == {*SYMBOLS, "EURXXX"}
    assert ServerSettings(read_market("[symbols.EURUSD]\ndigits = 4")).symbols["EURUSD"].digits == 4
    assert ServerSettings(read_market("builtin = false\n" + PAIR)).symbols.keys() == {"EURXXX"}


def test_a_suffix_of_the_broker_finds_the_symbol_unless_the_file_has_that_very_name() -> None:
    symbols = ServerSettings(read_market('[symbols."EURUSD.m"]\ndigits = 4')).symbols
    found, exact = symbols.find("EURUSD.pro"), symbols.find("EURUSD.m")
    assert found is not None and exact is not None
    assert (found.name, found.digits, exact.digits) == ("EURUSD.pro", 5, 4)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"nothing\.toml: No such file"):
        read_server(tmp_path / "nothing.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CallerError, match="utf-8"):
        read_server(binary)


def test_commissions_are_tables_in_a_list() -> None:
    text = """
        [accounts.default]
        margin_mode = "netting"
        [[accounts.default.commissions]]
        value = 4
        symbols = "EUR*"
        [[accounts.default.commissions]]
        per = "percent"
        tiers = [{ above = 0, value = 0.01 }, { above = 10, value = 0.005, most = 100 }]
    """
    tiers = (Tier(0.01), Tier(0.005, 10.0, most=100.0))
    made = read_market(text).accounts["default"].commissions
    assert made == (Commission(4.0, symbols="EUR*"), Commission(per="percent", tiers=tiers))


@pytest.mark.parametrize(
    ("commission", "field"),
    [
        ("7", "accounts.A.commissions"),
        ("[7]", "accounts.A.commissions[0]"),
        ("[{ value = true }]", "accounts.A.commissions[0].value"),
        ('[{ per = "night" }]', "accounts.A.commissions[0].per"),
        ("[{ tiers = [{ above = -1, value = 1 }] }]", "accounts.A.commissions[0].tiers[0].above"),
    ],
)
def test_a_wrong_commission_is_named_with_its_place(commission: str, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_market(f"[accounts.A]\ncommissions = {commission}")
    assert caught.value.field == field


def test_rates_are_a_list_of_numbers() -> None:
    rates = read_market("[symbols.X]\nmargin_rates = [2, 2, 1, 1, 1, 1, 0, 0]").symbols["X"].margin_rates
    assert rates == (2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
    with pytest.raises(InvalidField, match=r"symbols.X.margin_rates"):
        read_market("[symbols.X]\nmargin_rates = [1, 2]")
