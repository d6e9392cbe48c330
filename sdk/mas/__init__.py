"""Send orders to MetaTrader 5 accounts, real or simulated, over a message queue.

    import mas

    class Strategy(mas.Client):
        def receive_order_execution(self, order_id, execution_data):
            print(order_id, execution_data)

`class Strategy(mas)` means the same; type checkers understand `mas.Client`.
"""

from __future__ import annotations

from mas import mt5
from mas._version import VERSION as __version__
from mas.client import Client, NoWorkerWarning
from mas.order_id import OrderId
from mas_router.errors import (
    CallerError,
    DataMissing,
    InvalidField,
    LoginRefused,
    MasError,
    NotConnected,
    RemoteError,
    SessionLost,
    TransportError,
)
from mas_router.orders import State

__all__ = [
    "CallerError",
    "Client",
    "DataMissing",
    "InvalidField",
    "LoginRefused",
    "MasError",
    "NoWorkerWarning",
    "NotConnected",
    "OrderId",
    "RemoteError",
    "SessionLost",
    "State",
    "TransportError",
    "__version__",
    "mt5",
]


def __mro_entries__(bases: tuple[object, ...]) -> tuple[type, ...]:
    """`class Strategy(mas)`: this module stands for `Client` in a list of bases (PEP 560)."""
    derived = any(isinstance(base, type) and issubclass(base, Client) for base in bases)
    return () if derived else (Client,)
