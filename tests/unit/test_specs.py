from __future__ import annotations

from dataclasses import replace

import pytest

from mas_router.errors import InvalidField
from sim_worker.rates import conversion_symbols
from sim_worker.specs import AccountSpec, SymbolSpec
from sim_worker.symbols import SYMBOLS, find_symbol


def test_the_built_in_set_has_forex_pairs_metals_an_index_a_stock_and_a_future():
    assert len(SYMBOLS) == 33
    assert {"EURUSD", "USDJPY", "XAUUSD", "XAGUSD", "US500", "AAPL", "ESZ27"} <= SYMBOLS.keys()


@pytest.mark.parametrize("name", sorted(SYMBOLS))
def test_every_built_in_symbol_is_consistent(name):
    spec = SYMBOLS[name]
    assert spec.name == name
    assert spec.point == pytest.approx(10.0**-spec.digits)
    assert 0 < spec.daily_volatility < 0.05
    assert 0 < spec.spread_points * spec.point < spec.reference_price * 0.002
    assert round(spec.reference_price, spec.digits) == spec.reference_price
    assert spec.digits in ((3, 5) if spec.path.startswith("Forex") else (2, 3))


@pytest.mark.parametrize("name", ["EURUSD.sml", "EURUSD_i", "EURUSD-pro", "EURUSD+", "EURUSD#"])
def test_a_broker_suffix_resolves_to_the_base_symbol_under_the_full_name(name):
    spec = find_symbol(name)
    assert spec is not None
    assert spec == replace(SYMBOLS["EURUSD"], name=name, path=spec.path)
    assert spec.suffix == name.removeprefix("EURUSD")


@pytest.mark.parametrize("name", ["", "EURUS", ".sml", "NOSUCH", "EURUSDX", "EURUSD." + "x" * 40, "eurusd"])
def test_an_unknown_name_is_no_symbol(name):
    assert find_symbol(name) is None


@pytest.mark.parametrize(
    ("symbol", "currency", "expected"),
    [
        ("EURUSD", "USD", ()),
        ("USDJPY", "USD", ()),  # its own quote converts
        ("EURGBP", "USD", ("GBPUSD", "EURUSD")),
        ("EURJPY", "USD", ("USDJPY", "EURUSD")),
        ("EURGBP.sml", "USD", ("GBPUSD.sml", "EURUSD.sml")),
        ("EURUSD", "EUR", ()),
        ("EURGBP", "GBP", ()),
        ("USDJPY", "EUR", ("EURJPY", "EURUSD")),
        ("XAUUSD", "USD", ()),
        ("XAUUSD", "EUR", ("EURUSD",)),
        ("AAPL", "JPY", ("USDJPY",)),
    ],
)
def test_conversion_symbols_are_those_whose_quotes_turn_profit_and_margin_into_the_deposit(symbol, currency, expected):
    spec = find_symbol(symbol)
    assert spec is not None
    assert conversion_symbols(spec, currency, find_symbol) == expected


def test_two_symbols_are_needed_where_only_the_dollar_connects_two_currencies():
    zloty = SymbolSpec("USDPLN", currency_base="USD", currency_profit="PLN", currency_margin="USD")
    gold = replace(SYMBOLS["XAUUSD"], currency_profit="GBP", currency_margin="GBP", currency_base="XAU")
    known = {**SYMBOLS, "USDPLN": zloty}
    assert conversion_symbols(gold, "PLN", known.get) == ("GBPUSD", "USDPLN")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "X" * 32}, "name"),
        ({"name": "X", "digits": 9}, "digits"),
        ({"name": "X", "contract_size": 0.0}, "contract_size"),
        ({"name": "X", "volume_step": float("nan")}, "volume_step"),
        ({"name": "X", "volume_min": 2.0, "volume_max": 1.0}, "volume_min"),
    ],
)
def test_an_impossible_symbol_is_refused_by_the_field_that_is_wrong(fields, named):
    with pytest.raises(InvalidField) as caught:
        SymbolSpec(**fields)
    assert caught.value.field == named


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"margin_mode": "sharing"}, "margin_mode"),
        ({"limit_gap_policy": "best"}, "limit_gap_policy"),
        ({"leverage": 0}, "leverage"),
        ({"deposit": -1.0}, "deposit"),
        ({"deposit": 0.004}, "deposit"),
        ({"deposit": 0.5, "currency": "JPY"}, "deposit"),
        ({"deposit": 2e13}, "deposit"),
        ({"credit": 2e13}, "credit"),
        ({"currency_digits": -2}, "currency_digits"),
        ({"deposit": float("inf")}, "deposit"),
        ({"stop_out": -1.0}, "stop_out"),
        ({"currency": ""}, "currency"),
        ({"currency_digits": 9}, "currency_digits"),
    ],
)
def test_an_impossible_account_is_refused_by_the_field_that_is_wrong(fields, named):
    with pytest.raises(InvalidField) as caught:
        AccountSpec(**fields)
    assert caught.value.field == named
