"""Arithmetic of profit and margin: numbers in, numbers out.

Pure, without any state. Amounts are in the profit or margin currency of the symbol; `sim_worker.rates` converts them.
Sources: MQL5 docs, ENUM_SYMBOL_CALC_MODE; MetaTrader 5 help, "Profit Calculation" and "Margin Calculation".
"""

from __future__ import annotations

from math import floor
from typing import Final

from sim_worker.specs import FOREX_MODES, SymbolSpec, currency_digits

FOREX: Final = 0
FUTURES: Final = 1
CFD_INDEX: Final = 3
CFD_LEVERAGE: Final = 4
FOREX_NO_LEVERAGE: Final = 5
COLLATERAL: Final = 64
_BONDS: Final = (37, 39)
_OPTIONS: Final = (34, 36)
_FIXED: Final = (1, 33, 35)

_POWERS: Final = tuple(10.0**n for n in range(12))
#: Sums such as 1.005 are stored a hair below what they stand for; a half must still round away from zero.
_HAIR: Final = 1e-6


def normalize(value: float, digits: int) -> float:
    """Round half away from zero, as money is rounded; never returns -0.0."""
    power = _POWERS[digits]
    rounded = floor(abs(value) * power + 0.5 + _HAIR) / power
    return -rounded if value < 0.0 and rounded else rounded


def long_profit(spec: SymbolSpec, volume: float, price_open: float, price_close: float) -> float:
    """The profit of a long deal in the profit currency, rounded. For a short one swap the two prices.

    In the Forex modes the two legs are rounded separately.
    """
    digits = currency_digits(spec.currency_profit)
    lots = volume * spec.lot_value
    if spec.calc_mode in FOREX_MODES:
        return normalize(normalize(price_close * lots, digits) - normalize(price_open * lots, digits), digits)
    return normalize((price_close - price_open) * lots, digits)


def profit(spec: SymbolSpec, sell: int, volume: float, price_open: float, price_close: float) -> float:
    """The profit of a position (`sell` 1: short) in the profit currency, rounded."""
    if sell:
        return long_profit(spec, volume, price_close, price_open)
    return long_profit(spec, volume, price_open, price_close)


def margin(spec: SymbolSpec, leverage: int, volume: float, price: float, *, held: bool = False) -> float:
    """The margin of a volume in the margin currency, not rounded. `held`: of a position, not of an order."""
    if spec.calc_mode == COLLATERAL:
        return 0.0
    if spec.margin_initial:
        money = volume * (spec.margin_maintenance if held and spec.margin_maintenance else spec.margin_initial)
        return money / leverage if spec.calc_mode in (FOREX, CFD_LEVERAGE) else money
    return margin_by_size(spec, leverage, volume, price, spec.contract_size)


def hedged_margin(spec: SymbolSpec, leverage: int, volume: float, price: float) -> float:
    """The margin of a volume that is covered by an opposite position, in the margin currency, not rounded."""
    if spec.margin_initial:  # margin_hedged is then money per lot
        money = volume * spec.margin_hedged
        return money / leverage if spec.calc_mode in (FOREX, CFD_LEVERAGE) else money
    return margin_by_size(spec, leverage, volume, price, spec.margin_hedged)


def margin_by_size(spec: SymbolSpec, leverage: int, volume: float, price: float, size: float) -> float:
    """The calculation modes' formulas for a contract size."""
    mode, units = spec.calc_mode, volume * size
    if mode == FOREX:
        return units / leverage
    if mode == FOREX_NO_LEVERAGE:
        return units
    if mode == CFD_LEVERAGE:
        return units * price / leverage
    if mode == CFD_INDEX:
        return units * price * spec.tick_value / spec.tick_size
    if mode in _FIXED:
        return 0.0  # futures reserve margin_initial, or nothing when it is not set
    if mode in _BONDS:
        return units * spec.face_value * price / 100.0
    return units * price  # CFD, stocks, and options without a fixed margin


def forts_margin(spec: SymbolSpec, sell: int, price: float, held: bool = False) -> float:
    """The margin of one lot of a FORTS future: the exchange's, and the distance to the last settlement."""
    per_lot = spec.margin_maintenance if held and spec.margin_maintenance else spec.margin_initial
    rate = (spec.held_rates if held else spec.margin_rates)[sell]
    distance = price - spec.settlement_price if spec.settlement_price else 0.0
    widened = distance * spec.lot_value * (1.0 + 0.01 * spec.margin_currency_rate)
    return per_lot * rate + (-widened if sell else widened)


def market_value(spec: SymbolSpec, volume: float, price: float) -> float:
    """What a volume of collateral adds to the assets, in the profit currency."""
    return volume * spec.contract_size * price * spec.liquidity_rate


def accrued(spec: SymbolSpec, time: int) -> float:
    """The interest that one bond has accrued by a time (UTC ns), in the profit currency."""
    days = (time // 1_000_000_000 - spec.coupon_since) / 86_400.0
    return spec.face_value * spec.coupon_rate / 100.0 * max(0.0, days) / 365.0
