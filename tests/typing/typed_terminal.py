"""A program on a simulated terminal: a type checker knows the tuples, and that a call may give None."""

from sim_worker import terminal as mt5
from sim_worker.trade_server import Fault, TradeServer, installed


def volume(symbol: str) -> float:
    positions = mt5.positions_get(symbol=symbol)
    if positions is None:
        code, text = mt5.last_error()
        raise RuntimeError(f"{text} ({code:+d})")
    return sum(position.volume for position in positions)


def buy(symbol: str) -> int:
    unchecked = mt5.symbol_info_tick(symbol).ask  # type: ignore[union-attr]
    tick = mt5.symbol_info_tick(symbol)
    if tick is None:
        return 0
    result = mt5.order_send(action=mt5.TRADE_ACTION_DEAL, symbol=symbol, volume=0.1, price=tick.ask or unchecked)
    return result.order if result is not None and result.retcode == mt5.TRADE_RETCODE_DONE else 0


def run() -> tuple[object, ...]:
    server = TradeServer.scripted("fok-only")
    server.add_account(1, "x", deposit=500.0)
    server.arm(Fault(kind="requote", nth=2))
    with installed(server):
        connected: bool = mt5.initialize(login=1, password="x")
        closed: bool | str | None = mt5.Close("EURUSD")
        return connected, closed, server.records(1, "deals")
