"""The built-in symbols as plain rows. Pure data; `sim_worker.specs` makes specifications of them.

The prices only give the synthetic feed a plausible level. They are never used to value a position.
"""

from __future__ import annotations

from typing import Final

#: name: (description, digits, spread in points, price, daily volatility, swap long, swap short in points)
FOREX: Final[dict[str, tuple[str, int, int, float, float, float, float]]] = {
    "EURUSD": ("Euro vs US Dollar", 5, 10, 1.08500, 0.0050, -6.50, 2.50),
    "GBPUSD": ("Great Britain Pound vs US Dollar", 5, 14, 1.27000, 0.0060, -3.50, -1.50),
    "AUDUSD": ("Australian Dollar vs US Dollar", 5, 12, 0.66000, 0.0065, -2.60, 0.40),
    "NZDUSD": ("New Zealand Dollar vs US Dollar", 5, 16, 0.61000, 0.0065, -1.20, -0.60),
    "USDCAD": ("US Dollar vs Canadian Dollar", 5, 15, 1.36000, 0.0045, 1.10, -4.60),
    "USDCHF": ("US Dollar vs Swiss Franc", 5, 14, 0.88000, 0.0050, 6.00, -10.00),
    "USDJPY": ("US Dollar vs Japanese Yen", 3, 12, 150.000, 0.0060, 16.00, -28.00),
    "EURGBP": ("Euro vs Great Britain Pound", 5, 14, 0.85400, 0.0040, -4.80, 1.80),
    "EURJPY": ("Euro vs Japanese Yen", 3, 18, 162.700, 0.0060, 11.00, -23.00),
    "EURCHF": ("Euro vs Swiss Franc", 5, 18, 0.95500, 0.0040, 2.40, -7.20),
    "EURAUD": ("Euro vs Australian Dollar", 5, 22, 1.64400, 0.0060, -9.80, 3.10),
    "EURCAD": ("Euro vs Canadian Dollar", 5, 24, 1.47600, 0.0050, -6.40, 1.00),
    "EURNZD": ("Euro vs New Zealand Dollar", 5, 32, 1.77900, 0.0060, -12.10, 3.90),
    "GBPJPY": ("Great Britain Pound vs Japanese Yen", 3, 24, 190.500, 0.0070, 19.00, -35.00),
    "GBPCHF": ("Great Britain Pound vs Swiss Franc", 5, 28, 1.11800, 0.0055, 6.10, -12.20),
    "GBPAUD": ("Great Britain Pound vs Australian Dollar", 5, 30, 1.92400, 0.0060, -5.20, -3.40),
    "GBPCAD": ("Great Britain Pound vs Canadian Dollar", 5, 32, 1.72700, 0.0055, -1.90, -4.90),
    "GBPNZD": ("Great Britain Pound vs New Zealand Dollar", 5, 42, 2.08200, 0.0065, -7.90, -3.00),
    "AUDJPY": ("Australian Dollar vs Japanese Yen", 3, 18, 99.000, 0.0075, 8.00, -15.00),
    "AUDCAD": ("Australian Dollar vs Canadian Dollar", 5, 22, 0.89760, 0.0050, -0.90, -2.60),
    "AUDCHF": ("Australian Dollar vs Swiss Franc", 5, 20, 0.58080, 0.0060, 3.40, -6.90),
    "AUDNZD": ("Australian Dollar vs New Zealand Dollar", 5, 24, 1.08200, 0.0040, -3.10, -1.90),
    "NZDJPY": ("New Zealand Dollar vs Japanese Yen", 3, 22, 91.500, 0.0075, 7.90, -14.80),
    "NZDCAD": ("New Zealand Dollar vs Canadian Dollar", 5, 24, 0.82960, 0.0050, 0.30, -3.40),
    "NZDCHF": ("New Zealand Dollar vs Swiss Franc", 5, 24, 0.53680, 0.0060, 3.20, -6.50),
    "CADJPY": ("Canadian Dollar vs Japanese Yen", 3, 20, 110.300, 0.0065, 7.10, -14.20),
    "CADCHF": ("Canadian Dollar vs Swiss Franc", 5, 20, 0.64700, 0.0055, 3.00, -6.40),
    "CHFJPY": ("Swiss Franc vs Japanese Yen", 3, 24, 170.400, 0.0060, 1.20, -9.60),
}

#: name: (description, path, digits, contract size, calc mode, base, spread, price, volatility, volume step, swaps)
OTHERS: Final[dict[str, tuple[str, str, int, float, int, str, int, float, float, float, float, float]]] = {
    "XAUUSD": ("Gold vs US Dollar", "Metals", 2, 100.0, 4, "XAU", 20, 2000.00, 0.0090, 0.01, -38.00, 16.00),
    "XAGUSD": ("Silver vs US Dollar", "Metals", 3, 5000.0, 4, "XAG", 25, 24.000, 0.0170, 0.01, -5.10, 1.20),
    "US500": ("US 500 index", "Indices", 2, 1.0, 4, "USD", 50, 5000.00, 0.0100, 0.1, -95.00, 12.00),
    "AAPL": ("Apple Inc., contract for difference", "Stocks", 2, 1.0, 2, "USD", 6, 190.00, 0.0160, 1.0, -3.40, -1.10),
}
