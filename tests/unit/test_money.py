from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_worker import money
from sim_worker.specs import SymbolSpec


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (1.005, 2, 1.01),
        (-1.005, 2, -1.01),
        (2.675, 2, 2.68),
        (0.5, 0, 1.0),
        (-0.5, 0, -1.0),
        (2.5, 0, 3.0),
        (7.0, 8, 7.0),
    ],
)
def test_a_half_is_rounded_away_from_zero_even_where_binary_fractions_fall_short(value, digits, expected):
    assert money.normalize(value, digits) == expected


def test_rounding_never_gives_a_negative_zero():
    assert str(money.normalize(-0.001, 2)) == "0.0"


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_rounding_is_odd_and_close(value, digits):
    rounded = money.normalize(value, digits)
    assert rounded == -money.normalize(-value, digits)
    assert abs(rounded - value) <= 0.5000011 * 10.0**-digits


def _spec(mode: int, **fields: object) -> SymbolSpec:
    return SymbolSpec("X", calc_mode=mode, currency_profit="USD", **fields)  # type: ignore[arg-type]


def test_forex_rounds_the_two_legs_of_a_profit_separately():
    # 0.01 lots: 1500.055 -> 1500.06 and 1500.044 -> 1500.04, though the difference is 0.011.
    spec = _spec(0, digits=8)
    assert money.profit(spec, 0, 0.01, 1.500044, 1.500055) == 0.02
    assert money.profit(spec, 1, 0.01, 1.500044, 1.500055) == -0.02


def test_other_modes_round_the_difference_once():
    assert money.profit(_spec(2, digits=8), 0, 0.01, 1.500044, 1.500055) == 0.01


def test_futures_count_profit_in_ticks():
    spec = _spec(1, digits=2, tick_size=0.25, tick_value=12.5)
    assert money.profit(spec, 0, 2.0, 5000.0, 5001.5) == 150.0


def test_bonds_count_profit_in_percent_of_the_face_value():
    assert money.profit(_spec(37, digits=2, contract_size=10.0, face_value=1000.0), 0, 1.0, 98.0, 99.0) == 100.0


def test_collateral_has_neither_profit_nor_margin():
    spec = _spec(64)
    assert money.profit(spec, 0, 1.0, 1.0, 2.0) == 0.0
    assert money.margin(spec, 100, 1.0, 1.0) == 0.0


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0, 2000.0),  # Forex: lots * contract / leverage
        (5, 200_000.0),  # Forex without leverage
        (2, 300_000.0),  # CFD: with the price
        (32, 300_000.0),  # exchange stocks
        (4, 3000.0),  # CFD with leverage
        (3, 600_000.0),  # CFD index: * tick value / tick size
        (1, 0.0),  # futures reserve only margin_initial
    ],
)
def test_margin_of_two_lots_at_one_and_a_half_by_calculation_mode(mode, expected):
    spec = _spec(mode, tick_size=0.00001, tick_value=0.00002)
    assert money.margin(spec, 100, 2.0, 1.5) == pytest.approx(expected)


def test_bond_margin_is_of_the_face_value():
    assert money.margin(_spec(37, contract_size=1.0, face_value=1000.0), 100, 3.0, 98.0) == 2940.0


def test_an_initial_margin_is_money_per_lot_and_positions_hold_the_maintenance_margin():
    spec = _spec(33, margin_initial=1000.0, margin_maintenance=500.0)
    assert money.margin(spec, 100, 2.0, 50.0) == 2000.0
    assert money.margin(spec, 100, 2.0, 50.0, held=True) == 1000.0
    assert money.margin(_spec(33, margin_initial=1000.0), 100, 2.0, 50.0, held=True) == 2000.0


@pytest.mark.parametrize("mode", [0, 4])
def test_an_initial_margin_is_divided_by_the_leverage_in_forex_and_leveraged_cfd(mode):
    assert money.margin(_spec(mode, margin_initial=1000.0), 100, 2.0, 1.5) == 20.0


def test_hedged_margin_uses_its_own_contract_size_or_money_per_lot():
    assert money.hedged_margin(_spec(0, margin_hedged=50_000.0), 100, 1.0, 1.1) == 500.0
    assert money.hedged_margin(_spec(33, margin_initial=1000.0, margin_hedged=300.0), 100, 2.0, 1.1) == 600.0
