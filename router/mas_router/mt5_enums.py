"""The enumerations of MetaTrader 5, with the values of the MetaTrader5 package 5.0.6231.

Pure. The bit masks (IntFlag) are not in the package; their values are from the MQL5 documentation, "Symbol Properties".
`mas_router.mt5` has the same constants under the package's own names.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class TradeAction(IntEnum):
    """What a trade request asks for (ENUM_TRADE_REQUEST_ACTIONS)."""

    DEAL = 1
    PENDING = 5
    SLTP = 6
    MODIFY = 7
    REMOVE = 8
    CLOSE_BY = 10


class OrderType(IntEnum):
    """ENUM_ORDER_TYPE."""

    BUY = 0
    SELL = 1
    BUY_LIMIT = 2
    SELL_LIMIT = 3
    BUY_STOP = 4
    SELL_STOP = 5
    BUY_STOP_LIMIT = 6
    SELL_STOP_LIMIT = 7
    CLOSE_BY = 8


class OrderFilling(IntEnum):
    """What happens to the volume that cannot be filled at once (ENUM_ORDER_TYPE_FILLING)."""

    FOK = 0
    IOC = 1
    RETURN = 2
    BOC = 3


class OrderTime(IntEnum):
    """How long a pending order rests (ENUM_ORDER_TYPE_TIME)."""

    GTC = 0
    DAY = 1
    SPECIFIED = 2
    SPECIFIED_DAY = 3


class OrderState(IntEnum):
    """ENUM_ORDER_STATE."""

    STARTED = 0
    PLACED = 1
    CANCELED = 2
    PARTIAL = 3
    FILLED = 4
    REJECTED = 5
    EXPIRED = 6
    REQUEST_ADD = 7
    REQUEST_MODIFY = 8
    REQUEST_CANCEL = 9


class OrderReason(IntEnum):
    """Who or what placed an order (ENUM_ORDER_REASON)."""

    CLIENT = 0
    MOBILE = 1
    WEB = 2
    EXPERT = 3
    SL = 4
    TP = 5
    SO = 6


class PositionType(IntEnum):
    """ENUM_POSITION_TYPE."""

    BUY = 0
    SELL = 1


class PositionReason(IntEnum):
    """Who or what opened a position (ENUM_POSITION_REASON)."""

    CLIENT = 0
    MOBILE = 1
    WEB = 2
    EXPERT = 3


class DealType(IntEnum):
    """ENUM_DEAL_TYPE. The package names the last three without `_TYPE_`."""

    BUY = 0
    SELL = 1
    BALANCE = 2
    CREDIT = 3
    CHARGE = 4
    CORRECTION = 5
    BONUS = 6
    COMMISSION = 7
    COMMISSION_DAILY = 8
    COMMISSION_MONTHLY = 9
    COMMISSION_AGENT_DAILY = 10
    COMMISSION_AGENT_MONTHLY = 11
    INTEREST = 12
    BUY_CANCELED = 13
    SELL_CANCELED = 14
    DIVIDEND = 15
    DIVIDEND_FRANKED = 16
    TAX = 17


class DealEntry(IntEnum):
    """What a deal does to a position (ENUM_DEAL_ENTRY)."""

    IN = 0
    OUT = 1
    INOUT = 2
    OUT_BY = 3


class DealReason(IntEnum):
    """Who or what caused a deal (ENUM_DEAL_REASON)."""

    CLIENT = 0
    MOBILE = 1
    WEB = 2
    EXPERT = 3
    SL = 4
    TP = 5
    SO = 6
    ROLLOVER = 7
    VMARGIN = 8
    SPLIT = 9


class Timeframe(IntEnum):
    """ENUM_TIMEFRAMES. Up to M30 the value is the minutes; above it is not."""

    M1 = 1
    M2 = 2
    M3 = 3
    M4 = 4
    M5 = 5
    M6 = 6
    M10 = 10
    M12 = 12
    M15 = 15
    M20 = 20
    M30 = 30
    H1 = 16385
    H2 = 16386
    H4 = 16388
    H3 = 16387
    H6 = 16390
    H8 = 16392
    H12 = 16396
    D1 = 16408
    W1 = 32769
    MN1 = 49153


class CopyTicks(IntEnum):
    """Which ticks to copy. The package has -1 for all, so this is no bit mask."""

    ALL = -1
    INFO = 1
    TRADE = 2


class TickFlag(IntFlag):
    """What changed with a tick: a bit mask."""

    BID = 2
    ASK = 4
    LAST = 8
    VOLUME = 16
    BUY = 32
    SELL = 64


class Retcode(IntEnum):
    """A trade server's answer (ENUM_TRADE_RETURN_CODES). The package lacks HEDGE_PROHIBITED; servers send it."""

    REQUOTE = 10004
    REJECT = 10006
    CANCEL = 10007
    PLACED = 10008
    DONE = 10009
    DONE_PARTIAL = 10010
    ERROR = 10011
    TIMEOUT = 10012
    INVALID = 10013
    INVALID_VOLUME = 10014
    INVALID_PRICE = 10015
    INVALID_STOPS = 10016
    TRADE_DISABLED = 10017
    MARKET_CLOSED = 10018
    NO_MONEY = 10019
    PRICE_CHANGED = 10020
    PRICE_OFF = 10021
    INVALID_EXPIRATION = 10022
    ORDER_CHANGED = 10023
    TOO_MANY_REQUESTS = 10024
    NO_CHANGES = 10025
    SERVER_DISABLES_AT = 10026
    CLIENT_DISABLES_AT = 10027
    LOCKED = 10028
    FROZEN = 10029
    INVALID_FILL = 10030
    CONNECTION = 10031
    ONLY_REAL = 10032
    LIMIT_ORDERS = 10033
    LIMIT_VOLUME = 10034
    INVALID_ORDER = 10035
    POSITION_CLOSED = 10036
    INVALID_CLOSE_VOLUME = 10038
    CLOSE_ORDER_EXIST = 10039
    LIMIT_POSITIONS = 10040
    REJECT_CANCEL = 10041
    LONG_ONLY = 10042
    SHORT_ONLY = 10043
    CLOSE_ONLY = 10044
    FIFO_CLOSE = 10045
    HEDGE_PROHIBITED = 10046


class ResultCode(IntEnum):
    """The first element of `last_error()`."""

    OK = 1
    FAIL = -1
    INVALID_PARAMS = -2
    NO_MEMORY = -3
    NOT_FOUND = -4
    INVALID_VERSION = -5
    AUTH_FAILED = -6
    UNSUPPORTED = -7
    AUTO_TRADING_DISABLED = -8
    INTERNAL_FAIL = -10000
    INTERNAL_FAIL_SEND = -10001
    INTERNAL_FAIL_RECEIVE = -10002
    INTERNAL_FAIL_INIT = -10003
    INTERNAL_FAIL_CONNECT = -10004
    INTERNAL_FAIL_TIMEOUT = -10005


class BookType(IntEnum):
    """The side of a row of the order book (ENUM_BOOK_TYPE)."""

    SELL = 1
    BUY = 2
    SELL_MARKET = 3
    BUY_MARKET = 4


class AccountTradeMode(IntEnum):
    """ENUM_ACCOUNT_TRADE_MODE."""

    DEMO = 0
    CONTEST = 1
    REAL = 2


class AccountMarginMode(IntEnum):
    """ENUM_ACCOUNT_MARGIN_MODE: only RETAIL_HEDGING keeps several positions of one symbol."""

    RETAIL_NETTING = 0
    EXCHANGE = 1
    RETAIL_HEDGING = 2


class AccountStopoutMode(IntEnum):
    """The unit of the margin call and stop-out levels (ENUM_ACCOUNT_STOPOUT_MODE)."""

    PERCENT = 0
    MONEY = 1


class SymbolChartMode(IntEnum):
    """The price that bars are made of (ENUM_SYMBOL_CHART_MODE)."""

    BID = 0
    LAST = 1


class SymbolCalcMode(IntEnum):
    """How margin and profit are calculated (ENUM_SYMBOL_CALC_MODE). The package has no 35 (FORTS futures)."""

    FOREX = 0
    FUTURES = 1
    CFD = 2
    CFDINDEX = 3
    CFDLEVERAGE = 4
    FOREX_NO_LEVERAGE = 5
    EXCH_STOCKS = 32
    EXCH_FUTURES = 33
    EXCH_OPTIONS = 34
    EXCH_OPTIONS_MARGIN = 36
    EXCH_BONDS = 37
    EXCH_STOCKS_MOEX = 38
    EXCH_BONDS_MOEX = 39
    SERV_COLLATERAL = 64


class SymbolTradeMode(IntEnum):
    """ENUM_SYMBOL_TRADE_MODE."""

    DISABLED = 0
    LONGONLY = 1
    SHORTONLY = 2
    CLOSEONLY = 3
    FULL = 4


class SymbolExecution(IntEnum):
    """ENUM_SYMBOL_TRADE_EXECUTION."""

    REQUEST = 0
    INSTANT = 1
    MARKET = 2
    EXCHANGE = 3


class SymbolSwapMode(IntEnum):
    """ENUM_SYMBOL_SWAP_MODE. A newer terminal may report numbers from 5 up that are one higher."""

    DISABLED = 0
    POINTS = 1
    CURRENCY_SYMBOL = 2
    CURRENCY_MARGIN = 3
    CURRENCY_DEPOSIT = 4
    INTEREST_CURRENT = 5
    INTEREST_OPEN = 6
    REOPEN_CURRENT = 7
    REOPEN_BID = 8


class SymbolGtcMode(IntEnum):
    """What a change of the day does to GTC orders (ENUM_SYMBOL_ORDER_GTC_MODE)."""

    GTC = 0
    DAILY = 1
    DAILY_NO_STOPS = 2


class SymbolOptionRight(IntEnum):
    """ENUM_SYMBOL_OPTION_RIGHT."""

    CALL = 0
    PUT = 1


class SymbolOptionMode(IntEnum):
    """ENUM_SYMBOL_OPTION_MODE."""

    EUROPEAN = 0
    AMERICAN = 1


class DayOfWeek(IntEnum):
    """ENUM_DAY_OF_WEEK: a week starts with Sunday."""

    SUNDAY = 0
    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6


class SymbolFilling(IntFlag):
    """The filling modes of a symbol: a bit mask, not the numbers of OrderFilling."""

    FOK = 1
    IOC = 2
    BOC = 4


class SymbolExpiration(IntFlag):
    """The order times of a symbol: a bit mask, bit n for OrderTime n."""

    GTC = 1
    DAY = 2
    SPECIFIED = 4
    SPECIFIED_DAY = 8


class SymbolOrder(IntFlag):
    """The order types of a symbol: a bit mask."""

    MARKET = 1
    LIMIT = 2
    STOP = 4
    STOP_LIMIT = 8
    SL = 16
    TP = 32
    CLOSEBY = 64
