"""The interface of the MetaTrader5 Python package over a simulated trade server.

`from sim_worker import terminal as mt5` is used as `import MetaTrader5 as mt5` is: same functions, argument rules,
tuples, arrays, constants and error codes as version 5.0.6231. `initialize` takes a path to a simulated terminal. Trade
servers, their personalities and their faults are in `sim_worker.trade_server`.
"""

from sim_worker.terminal.constants import *  # noqa: F403
from sim_worker.terminal.helpers import Buy as Buy
from sim_worker.terminal.helpers import Close as Close
from sim_worker.terminal.helpers import Sell as Sell
from sim_worker.terminal.market_data import copy_rates_from as copy_rates_from
from sim_worker.terminal.market_data import copy_rates_from_pos as copy_rates_from_pos
from sim_worker.terminal.market_data import copy_rates_range as copy_rates_range
from sim_worker.terminal.market_data import copy_ticks_from as copy_ticks_from
from sim_worker.terminal.market_data import copy_ticks_range as copy_ticks_range
from sim_worker.terminal.market_data import market_book_add as market_book_add
from sim_worker.terminal.market_data import market_book_get as market_book_get
from sim_worker.terminal.market_data import market_book_release as market_book_release
from sim_worker.terminal.market_data import symbol_info as symbol_info
from sim_worker.terminal.market_data import symbol_info_tick as symbol_info_tick
from sim_worker.terminal.market_data import symbol_select as symbol_select
from sim_worker.terminal.market_data import symbols_get as symbols_get
from sim_worker.terminal.market_data import symbols_total as symbols_total
from sim_worker.terminal.session import account_info as account_info
from sim_worker.terminal.session import initialize as initialize
from sim_worker.terminal.session import login as login
from sim_worker.terminal.session import shutdown as shutdown
from sim_worker.terminal.session import terminal_info as terminal_info
from sim_worker.terminal.session import version as version
from sim_worker.terminal.state import last_error as last_error
from sim_worker.terminal.structs import AccountInfo as AccountInfo
from sim_worker.terminal.structs import BookInfo as BookInfo
from sim_worker.terminal.structs import OrderCheckResult as OrderCheckResult
from sim_worker.terminal.structs import OrderSendResult as OrderSendResult
from sim_worker.terminal.structs import SymbolInfo as SymbolInfo
from sim_worker.terminal.structs import TerminalInfo as TerminalInfo
from sim_worker.terminal.structs import Tick as Tick
from sim_worker.terminal.structs import TradeDeal as TradeDeal
from sim_worker.terminal.structs import TradeOrder as TradeOrder
from sim_worker.terminal.structs import TradePosition as TradePosition
from sim_worker.terminal.structs import TradeRequest as TradeRequest
from sim_worker.terminal.trading import history_deals_get as history_deals_get
from sim_worker.terminal.trading import history_deals_total as history_deals_total
from sim_worker.terminal.trading import history_orders_get as history_orders_get
from sim_worker.terminal.trading import history_orders_total as history_orders_total
from sim_worker.terminal.trading import order_calc_margin as order_calc_margin
from sim_worker.terminal.trading import order_calc_profit as order_calc_profit
from sim_worker.terminal.trading import order_check as order_check
from sim_worker.terminal.trading import order_send as order_send
from sim_worker.terminal.trading import orders_get as orders_get
from sim_worker.terminal.trading import orders_total as orders_total
from sim_worker.terminal.trading import positions_get as positions_get
from sim_worker.terminal.trading import positions_total as positions_total

__version__ = "5.0.6231"
__author__ = "MetaQuotes Ltd."
