"""The constants of MetaTrader 5 on every platform: `from mas import mt5`, then `mt5.ORDER_TIME_GTC`."""

from mas_router.mt5 import *  # noqa: F403 - the same module under the name that strategies know
