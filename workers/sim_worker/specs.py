"""What the trade server knows about a symbol and about an account: the settings, not the state.

Pure. The fields are those of MT5's properties (MQL5 docs, "Symbol Properties", "Account Properties").
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mas_router import mt5
from mas_router.errors import InvalidField
from sim_worker.charges import Commission
from sim_worker.sessions import quoting_hours, trading_hours

#: All the bits of SYMBOL_ORDER_*, SYMBOL_EXPIRATION_* and SYMBOL_FILLING_* (FOK and IOC).
ALL_ORDERS: Final = 127
ALL_EXPIRATIONS: Final = 15
FOK_AND_IOC: Final = 3

#: Stocks, futures and bonds of an exchange: the last price triggers orders and stop levels (MetaTrader 5 help).
BY_LAST_MODES: Final = frozenset({32, 33, 35, 37, 38, 39})

FOREX_MODES: Final = frozenset({int(mt5.SYMBOL_CALC_MODE_FOREX), int(mt5.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE)})
#: Profit is counted in ticks: futures and options (35 is FORTS, which the package has no name for).
TICK_MODES: Final = frozenset({1, 33, 34, 35, 36})
BOND_MODES: Final = frozenset({37, 39})
INTEREST_MODES: Final = frozenset({int(mt5.SYMBOL_SWAP_MODE_INTEREST_CURRENT), int(mt5.SYMBOL_SWAP_MODE_INTEREST_OPEN)})
FORTS: Final = 35

#: What `SymbolSpec.info` may hold: fields of SymbolInfo that nothing here depends on.
INFO: Final = (
    "bank",
    "basis",
    "category",
    "chart_mode",
    "custom",
    "exchange",
    "formula",
    "isin",
    "option_mode",
    "option_right",
    "option_strike",
    "page",
    "price_change",
    "price_greeks_delta",
    "price_greeks_gamma",
    "price_greeks_omega",
    "price_greeks_rho",
    "price_greeks_theta",
    "price_greeks_vega",
    "price_sensitivity",
    "price_theoretical",
    "price_volatility",
    "session_aw",
    "session_buy_orders",
    "session_buy_orders_volume",
    "session_close",
    "session_deals",
    "session_interest",
    "session_open",
    "session_price_limit_max",
    "session_price_limit_min",
    "session_price_settlement",
    "session_sell_orders",
    "session_sell_orders_volume",
    "session_turnover",
    "session_volume",
    "ticks_bookdepth",
)

#: The longest name of a symbol.
MAX_NAME: Final = 31

#: Decimals of a currency where they are not 2.
_CURRENCY_DIGITS: Final = {"JPY": 0, "BTC": 8, "ETH": 8}
_CHOICES: Final[dict[str, tuple[object, ...]]] = {
    "margin_mode": ("hedging", "netting", "exchange"),
    "stop_out_mode": ("percent", "money"),
    "free_margin": ("all", "losses", "none"),
    "limit_gap_policy": ("at_price", "improve"),
    "tp_gap_policy": ("at_price", "improve"),
    "filling_rules": ("documentation", "server_help"),
    "near_pending_retcode": (10015, 10016),
    "unfilled_retcode": (10006, 10009, 10018),
    "pending_deal_retcode": (10004, 10013, 10035),
    "specified_day_end": ("23:59:59", "00:00:00"),
}
#: Beyond it cents are lost in 64 bits.
_MOST_MONEY: Final = 1e13
_CLOCK: Final = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")
_SUFFIX: Final = re.compile(r"^([^._\-+#]+)([._\-+#].*)$")


def currency_digits(currency: str) -> int:
    """The decimals to which amounts of a currency are rounded."""
    return _CURRENCY_DIGITS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """A symbol's contract. Prices in the profit currency, volumes in lots, levels and spread in points.

    `filling_mode`, `expiration_mode` and `order_mode` are bit masks. `margin_hedged` is a contract size, or money per
    lot when `margin_initial` is set.

    `margin_rates` multiply the margin of an order, by its type (ENUM_ORDER_TYPE 0 to 7); those of pending types are 0
    by default: such orders reserve nothing, as is usual on OTC servers. `maintenance_rates` (buy, sell) are those of
    positions; empty means the same. FORTS futures have their initial margin for buying and selling in the two rates,
    count from `settlement_price` (0: none), and widen by `margin_currency_rate` percent. `conversion` is how profit
    becomes the deposit currency: at the price side of the deal ("deal", the default of Forex), at the market by its
    sign ("market", the default of all others), or entry and exit each at their own time ("settlement"). A bond accrues
    `coupon_rate` percent of its face value a year, since `coupon_since` (UTC seconds).

    `swap_multipliers` are for the days from Sunday to Saturday; empty means 1 on weekdays, 3 on
    `swap_rollover3days`, 0 at the weekend. Interest is divided by `swap_year` days. `spread_points`,
    `reference_price` and `daily_volatility` (a fraction) only shape synthetic quotes.

    `sessions_trade`, `sessions_quote` and `holidays` are texts that `sim_worker.sessions` reads; empty means always
    open. Outside its quote sessions a symbol's quotes are thrown away, outside the trade sessions nothing executes.
    `start_time` and `expiration_time` are UTC seconds, `quote_max_delay` the seconds after which a quote is stale;
    0 switches each off. `liquidity` is what each quote offers on each side, in lots, 0 for any volume.
    `slippage_points` is by how much stop orders, stop losses and deals at the market execute worse than the quote.
    `off_quotes_after` requotes in a row, instant execution answers "no prices" instead of another one (0: never).
    `price_limit_*` are the session's limits for prices of orders, 0 for none. `only_real`: not on demo accounts.
    """

    name: str
    description: str = ""
    path: str = ""
    digits: int = 5
    contract_size: float = 100_000.0
    tick_size: float = 0.0  # 0: one point
    tick_value: float = 0.0  # of one lot, in the profit currency; 0: contract_size * tick_size
    calc_mode: int = 0
    trade_mode: int = 4
    execution: int = 2
    filling_mode: int = FOK_AND_IOC
    expiration_mode: int = ALL_EXPIRATIONS
    order_mode: int = ALL_ORDERS
    order_gtc_mode: int = 0
    stops_level: int = 0
    freeze_level: int = 0
    volume_min: float = 0.01
    volume_max: float = 100.0
    volume_step: float = 0.01
    volume_limit: float = 0.0  # 0: none
    sessions_trade: str = ""
    sessions_quote: str = ""
    holidays: str = ""
    start_time: int = 0
    expiration_time: int = 0
    quote_max_delay: float = 0.0
    only_real: bool = False
    liquidity: float = 0.0
    slippage_points: int = 0
    off_quotes_after: int = 0
    price_limit_min: float = 0.0
    price_limit_max: float = 0.0
    currency_base: str = "EUR"
    currency_profit: str = "USD"
    currency_margin: str = "EUR"
    margin_initial: float = 0.0
    margin_maintenance: float = 0.0
    margin_hedged: float = 100_000.0
    margin_hedged_use_leg: bool = False
    margin_rates: tuple[float, ...] = (1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    maintenance_rates: tuple[float, ...] = ()
    margin_currency_rate: float = 0.0
    settlement_price: float = 0.0
    conversion: Literal["", "deal", "market", "settlement"] = ""
    face_value: float = 0.0
    coupon_rate: float = 0.0
    coupon_since: int = 0
    liquidity_rate: float = 0.0
    swap_mode: int = 0
    swap_long: float = 0.0
    swap_short: float = 0.0
    swap_rollover3days: int = 3
    swap_multipliers: tuple[float, ...] = ()
    swap_year: int = 360
    spread_points: int = 10
    reference_price: float = 1.0
    daily_volatility: float = 0.005
    #: Properties that a terminal shows and the trade server does not use, by their names in SymbolInfo.
    info: Mapping[str, str | int | float | bool] = field(default_factory=dict, hash=False)
    point: float = field(init=False)
    #: Profit of one lot when the price moves by 1, in the profit currency.
    lot_value: float = field(init=False)
    #: The margin rates of positions, and the swap multipliers from Sunday to Saturday.
    held_rates: tuple[float, ...] = field(init=False)
    day_multipliers: tuple[float, ...] = field(init=False)
    #: The currencies of profit and margin, and of swaps where they are in the base currency.
    currencies: tuple[str, ...] = field(init=False)
    #: Do resting orders reserve margin?
    reserves: bool = field(init=False)
    #: Does a position need another margin than its order did?
    two_margins: bool = field(init=False)
    #: Does profit depend on more of the entry than its price?
    tracks_entry: bool = field(init=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= MAX_NAME:
            raise InvalidField("name", self.name, f"1 to {MAX_NAME} characters")
        if not 0 <= self.digits <= 8:
            raise InvalidField("digits", self.digits, "0 to 8")
        _positive(self, "contract_size", "volume_min", "volume_max", "volume_step")
        for name in self.info:
            if name not in INFO:
                raise InvalidField("info", name, "one of " + ", ".join(INFO))
        if self.volume_min > self.volume_max:
            raise InvalidField("volume_min", self.volume_min, f"at most volume_max ({self.volume_max:g})")
        _finite(self, "liquidity", "slippage_points", "quote_max_delay", "off_quotes_after", "start_time")
        _finite(self, "expiration_time", "price_limit_min", "price_limit_max", "stops_level", "freeze_level")
        trading_hours(self.sessions_trade, self.holidays, "", 0, 0)  # raises InvalidField for what cannot be read
        quoting_hours(self.sessions_quote)
        put = object.__setattr__  # the dataclass is frozen; these are derived once, here
        put(self, "point", 10.0**-self.digits)
        put(self, "tick_size", self.tick_size or self.point)
        put(self, "tick_value", self.tick_value or self.contract_size * self.tick_size)
        put(self, "lot_value", self._lot_value())
        self._derive_money(put)

    def _derive_money(self, put: Callable[[object, str, object], None]) -> None:
        _check_rates(self)
        put(self, "currencies", self._currencies())
        put(self, "held_rates", self.maintenance_rates or self.margin_rates[:2])
        put(self, "day_multipliers", self.swap_multipliers or _weekdays(self.swap_rollover3days))
        put(self, "reserves", self.calc_mode == FORTS or any(self.margin_rates[2:]))
        fixed = self.margin_maintenance not in (0.0, self.margin_initial)
        put(self, "two_margins", fixed or self.held_rates != self.margin_rates[:2])
        put(self, "tracks_entry", bool(self.coupon_rate) or self.conversion == "settlement")

    def _lot_value(self) -> float:
        if self.calc_mode in TICK_MODES:
            return self.tick_value / self.tick_size
        if self.calc_mode in BOND_MODES:
            return self.face_value * self.contract_size / 100.0
        return 0.0 if self.calc_mode == mt5.SYMBOL_CALC_MODE_SERV_COLLATERAL else self.contract_size

    def _currencies(self) -> tuple[str, ...]:
        forex_interest = self.calc_mode in FOREX_MODES and self.swap_mode in INTEREST_MODES
        based = forex_interest or self.swap_mode == mt5.SYMBOL_SWAP_MODE_CURRENCY_SYMBOL
        return (self.currency_profit, self.currency_margin, *((self.currency_base,) if based else ()))

    @property
    def suffix(self) -> str:
        """What the broker added to the name: ".sml" of EURUSD.sml."""
        pair = self.currency_base + self.currency_profit
        return self.name.removeprefix(pair) if self.name.startswith(pair) else split_suffix(self.name)[1]


@dataclass(frozen=True, slots=True)
class AccountSpec:
    """The settings of an account. `margin_mode` "exchange" is netting with an exchange's margin model.

    `margin_call` and `stop_out` are margin levels in percent, or amounts of equity when `stop_out_mode` is "money"; in
    the exchange model initial and maintenance margin take their place. `stop_out_hedged`: also stop out when equity is
    negative and positions cover each other without any margin. `compensate_negative`: a balance that a stop-out left
    negative is made 0. `free_margin` says which floating profit counts in it: "all", only "losses", or "none".
    `end_of_day` ("HH:MM" on the server's clock, at its 59th second) is when swaps and daily commissions are charged.
    `credit` counts as equity, not as balance. `currency_digits` -1: as many as the currency has; the yen has none.

    `limit_gap_policy`: where a pending limit order fills when the price has jumped over it: at its own price
    ("at_price") or at the better market price ("improve"). `commissions` are charged one beside the other; see
    `sim_worker.charges`. `limit_orders` 0 means no limit.

    `tp_gap_policy` is the same for take profits. `enabled` False, `trade_allowed` False and `read_only` (an investor's
    password) forbid all trading, `trade_expert` False that of programs. `server_hours` are weekly working hours as in
    `SymbolSpec.sessions_trade`, without the pause at the end of the day. `limit_positions` and `requests_per_second`
    are 0 for no limit. `fifo_close`: only the oldest position of a symbol can be closed, and all of them have the same
    stop levels. `hedge_allowed` False: no opposite positions. `filling_rules`: which filling modes an execution mode
    takes according to the MQL5 documentation, or to the server's help. `near_pending_retcode`: the answer to a pending
    order nearer to the market than the stops level; `unfilled_retcode`: to a deal that found no volume and is
    cancelled; `pending_deal_retcode`: to a deal with the type of a pending order. `specified_day_end`: at which time of
    its day an order with ORDER_TIME_SPECIFIED_DAY ends.
    """

    login: int | str = 1
    server: str = "MAS-Simulator"
    name: str = "Simulated account"
    company: str = "MAS"
    currency: str = "USD"
    leverage: int = 100
    deposit: float = 10_000.0
    credit: float = 0.0
    margin_mode: Literal["hedging", "netting", "exchange"] = "hedging"
    limit_orders: int = 200
    margin_call: float = 100.0
    stop_out: float = 50.0
    stop_out_mode: Literal["percent", "money"] = "percent"
    stop_out_hedged: bool = False
    compensate_negative: bool = False
    free_margin: Literal["all", "losses", "none"] = "all"
    end_of_day: str = "23:59"
    currency_digits: int = -1
    limit_gap_policy: Literal["at_price", "improve"] = "at_price"
    commissions: tuple[Commission, ...] = ()
    trade_mode: int = 0
    trade_allowed: bool = True
    trade_expert: bool = True
    enabled: bool = True
    read_only: bool = False
    server_hours: str = ""
    limit_positions: int = 0
    requests_per_second: int = 0
    fifo_close: bool = False
    hedge_allowed: bool = True
    tp_gap_policy: Literal["at_price", "improve"] = "improve"
    filling_rules: Literal["documentation", "server_help"] = "documentation"
    near_pending_retcode: Literal[10015, 10016] = 10015
    unfilled_retcode: Literal[10006, 10009, 10018] = 10006
    pending_deal_retcode: Literal[10004, 10013, 10035] = 10004
    specified_day_end: Literal["23:59:59", "00:00:00"] = "23:59:59"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InvalidField(name, getattr(self, name), " or ".join(map(str, allowed)))
        trading_hours("", "", self.server_hours, 0, 0)  # raises InvalidField for what cannot be read
        if not _CLOCK.match(self.end_of_day):
            raise InvalidField("end_of_day", self.end_of_day, "a time of the day such as 23:59")
        if not self.currency:
            raise InvalidField("currency", self.currency, "a currency code such as USD")
        if not -1 <= self.currency_digits <= 8:
            raise InvalidField("currency_digits", self.currency_digits, "0 to 8, or -1")
        if self.currency_digits < 0:
            object.__setattr__(self, "currency_digits", currency_digits(self.currency))
        _positive(self, "leverage", "deposit")
        _finite(self, "margin_call", "stop_out", "credit", "limit_orders")
        _finite(self, "limit_positions", "requests_per_second")
        unit = 10.0**-self.currency_digits
        if not unit <= self.deposit <= _MOST_MONEY:
            raise InvalidField("deposit", self.deposit, f"{unit:g} to {_MOST_MONEY:g} {self.currency}")
        if self.credit > _MOST_MONEY:
            raise InvalidField("credit", self.credit, f"at most {_MOST_MONEY:g}")

    @property
    def hedging(self) -> bool:
        return self.margin_mode == "hedging"

    @property
    def exchange(self) -> bool:
        return self.margin_mode == "exchange"


def _check_rates(spec: SymbolSpec) -> None:
    if spec.conversion not in ("", "deal", "market", "settlement"):
        raise InvalidField("conversion", spec.conversion, "deal, market, settlement or empty")
    for name, lengths in (("margin_rates", (8,)), ("maintenance_rates", (0, 2)), ("swap_multipliers", (0, 7))):
        values = getattr(spec, name)
        if len(values) not in lengths or not all(0.0 <= value < math.inf for value in values):
            raise InvalidField(name, values, f"{max(lengths)} numbers that are not negative")
    _positive(spec, "swap_year")
    if not 0 <= spec.swap_rollover3days <= 6:
        raise InvalidField("swap_rollover3days", spec.swap_rollover3days, "a day of the week, 0 (Sunday) to 6")


def _weekdays(triple: int) -> tuple[float, ...]:
    return tuple(3.0 if day == triple else float(0 < day < 6) for day in range(7))


def _positive(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if not 0.0 < value < math.inf:
            raise InvalidField(name, value, "a number above 0")


def _finite(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if not 0.0 <= value < math.inf:
            raise InvalidField(name, value, "a number that is not negative")


def split_suffix(name: str) -> tuple[str, str]:
    """A name and a broker's suffix, which starts with one of `. _ - + #`: EURUSD.sml -> ("EURUSD", ".sml")."""
    match = _SUFFIX.match(name)
    return (match[1], match[2]) if match else (name, "")
