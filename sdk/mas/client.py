"""The client: what a strategy subclasses.

Every method takes one dictionary, as documented in `docs/reference/sdk.md`. Methods that trade answer with values, not
exceptions: a strategy that runs for days must not end because one order was wrong. Connecting and logging in raise.
"""

from __future__ import annotations

import atexit
import functools
import os
import threading
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar, cast

from mas import params
from mas._depth import Depth
from mas._history import History
from mas._hub import Hub, Settings
from mas._lang import Language
from mas._lang import check as check_language
from mas._market import MarketData
from mas._records import Records
from mas._reports import Directory, Reports
from mas._trading import Desk
from mas._version import RELEASED, VERSION
from mas.order_id import OrderId
from mas_router import messages
from mas_router.errors import CallerError, InvalidField

if TYPE_CHECKING:
    import pandas

F = TypeVar("F", bound=Callable[..., Any])
Params = dict[str, Any]
NONE: Final[Params] = {}
_OPEN: weakref.WeakSet[Client] = weakref.WeakSet()
EXIT_SECONDS = 5.0
_MAKING = threading.RLock()


class NoWorkerWarning(UserWarning):
    """No worker serves the account that was logged in to."""


@dataclass(frozen=True, slots=True)
class _Inside:
    """The parts behind a client, each for one subject."""

    hub: Hub
    desk: Desk
    records: Records
    history: History
    depth: Depth
    reports: Reports
    market: MarketData


def _speaking(method: F) -> F:
    """The errors that this method raises are in the language of `set_lang`."""

    @functools.wraps(method)
    def speak(self: Client, *args: Any, **named: Any) -> Any:
        with self._mas.hub.speaking():
            return method(self, *args, **named)

    return cast(F, speak)


def _default(method: F) -> F:
    """Mark a callback that does nothing, so that nothing is prepared for it."""
    method.__mas_default__ = True  # type: ignore[attr-defined]
    return method


class Client:
    """A strategy's line to its accounts, real or simulated.

    `url` names RabbitMQ (`amqp://user:password@host:5672/vhost`, several separated by commas); the default is MAS_URL.
    Live and backtest may be apart: `live_url` (MAS_LIVE_URL) and `backtest_url` (MAS_BACKTEST_URL). Without any of
    them the simulator runs in this process. `events="account"` also delivers what other clients do on the same
    accounts. `client_id` keeps the reply queue over a restart of the program, so that missed events arrive; one
    program at a time may use it. Of an embedded simulator, `data` is the directory of the quote catalog, `market` a
    file of symbols and accounts (default: MAS_MARKET), `seed` the seed of the synthetic market.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        live_url: str | None = None,
        backtest_url: str | None = None,
        client_id: str = "",
        events: Literal["own", "account"] = "own",
        data: str | os.PathLike[str] | None = None,
        market: str | os.PathLike[str] | None = None,
        seed: int = 1,
        timeout: float = 10.0,
    ) -> None:
        if events not in ("own", "account"):
            raise CallerError(f"events={events!r} is not allowed: 'own' or 'account'")
        if not isinstance(data, str | os.PathLike | None):
            raise InvalidField("data", data, "the path of a directory")
        if not isinstance(market, str | os.PathLike | None):
            raise InvalidField("market", market, "the path of a market file")
        params.check_client(url=url, live_url=live_url, backtest_url=backtest_url, seed=seed, timeout=timeout)
        both = os.environ.get("MAS_URL", "") if url is None else url
        settings = Settings(
            live_url=_first(live_url, url, "MAS_LIVE_URL", both),
            backtest_url=_first(backtest_url, url, "MAS_BACKTEST_URL", both),
            client_id=params.client_id(client_id),
            whole_account=events == "account",
            data=os.fspath(data) if data is not None else "",
            market=os.fspath(market) if market is not None else "",
            seed=seed,
            timeout=timeout,
        )
        self.__inside = self._assemble(settings)
        _OPEN.add(self)

    # ---- the inside ----------------------------------------------------------------------------------------------

    def _assemble(self, settings: Settings) -> _Inside:
        hub = Hub(self, settings)
        desk = Desk(hub)
        market = MarketData(hub, desk, self)
        records = Records(hub, desk)
        history, depth, reports = History(hub, desk), Depth(hub, desk), Reports(hub, desk, records)
        return _Inside(hub, desk, records, history, depth, reports, market)

    @property
    def _mas(self) -> _Inside:
        """A subclass may forget to call `super().__init__()`: then the defaults count."""
        try:
            return self.__inside
        except AttributeError:
            with _MAKING:
                if not hasattr(self, "_Client__inside"):
                    Client.__init__(self)
            return self.__inside

    # ---- callbacks -----------------------------------------------------------------------------------------------

    @_default
    def receive_order_status(self, order_id: str, status_data: dict[str, Any]) -> None:
        """An order's state changed.

        Override it. `order_id` is what `send_order` returned; see `docs/reference/events.md`.
        """

    @_default
    def receive_order_execution(self, order_id: str, execution_data: dict[str, Any]) -> None:
        """A deal was made for an order. Override it. Comes after the order's status, one call for each deal."""

    def receive_bars(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        """A bar of `subscribe_bars` is complete. Override it. Times are aware UTC; `is_end` marks the last one."""

    def receive_ticks(self, symbol: str, data: dict[str, Any], is_end: bool = False) -> None:
        """A tick of `subscribe_ticks`. Override it."""

    # ---- accounts ------------------------------------------------------------------------------------------------

    @_speaking
    def login(self, params_: dict[str, Any]) -> bool:
        """Select an account: account, password, server, timeout (ms).

        True when a worker serves the account; False, with one warning, when none does: a backtest works all the same.
        May be repeated; the last account is the default. The password is not sent anywhere by this call.
        Raises LoginRefused (the worker refuses), NotConnected (RabbitMQ does not answer), CallerError (parameters).
        """
        given = params.login_params(params_)
        hub = self._mas.hub
        hub.check_open()
        self._mas.desk.current = (given.server, given.account)
        hub.forget_backtest(given.server, given.account)
        seconds = given.timeout_ms / 1000
        account = hub.live_account(given.server, given.account, seconds)
        if not account.attach(seconds):
            text = hub.say(f"{account.absence}. Backtests work; live orders will be refused.")
            warnings.warn(text, NoWorkerWarning, stacklevel=3)
        return account.attached

    switch_account = login

    # ---- orders --------------------------------------------------------------------------------------------------

    def send_order(self, params_: dict[str, Any]) -> OrderId:
        """Send an order and wait for the answer: the ticket as a string, or the text of the error. Never raises.

        Required: symbol, order_type, volume, backtest_toggle. See `docs/reference/sdk.md` for all fields and `OrderId`
        for what the answer tells. Waits until the order's deadline (`valid_for`, 5 s) and one second more at most.
        """
        return self._mas.desk.send(params_)

    def submit(self, params_: dict[str, Any]) -> Future[OrderId]:
        """As `send_order`, but returns at once; the future gets the OrderId.

        A done-callback of the future runs on a thread of the client and may send with `submit` only.
        """
        return self._mas.desk.submit(params_)

    @_speaking
    def send_orders(self, many: list[dict[str, Any]]) -> list[OrderId]:
        """Send a burst of orders; one answer for each, in the same order. Raises CallerError for what is no list."""
        return self._mas.desk.send_many(many)

    def cancel_order(self, params_: dict[str, Any]) -> bool:
        """Cancel a pending order: order_id, comment. True only when the trade server confirmed it."""
        return self._mas.desk.change(params.cancel_order, params_)

    def modify_order(self, params_: dict[str, Any]) -> bool:
        """Change a pending order: order_id, price, sl, tp, stoplimit, expiration.

        What is not given stays; 0 removes.
        """
        return self._mas.desk.change(lambda raw: params.modify_order(raw, self._mas.desk.now()), params_)

    def modify_position_sltp(self, params_: dict[str, Any]) -> bool:
        """Change the stop loss and take profit of a position: position_id, sl, tp.

        What is not given stays; 0 removes.
        """
        return self._mas.desk.change(params.modify_position_sltp, params_)

    # ---- records and calculations --------------------------------------------------------------------------------

    def get_account_info(self, params_: Params = NONE) -> dict[str, Any]:
        """The 28 AccountInfo fields of MT5; {"error": text} on failure."""
        return self._mas.records.account(params_)

    def get_positions(self, params_: Params = NONE) -> list[dict[str, Any]]:
        """Open positions: symbol, group (wildcards), ticket. TradePosition fields, times as aware UTC datetimes."""
        return self._mas.records.rows(params.positions, params_)

    def get_pending_orders(self, params_: Params = NONE) -> list[dict[str, Any]]:
        """Pending orders: symbol, group, ticket. TradeOrder fields."""
        return self._mas.records.rows(params.pending_orders, params_)

    def get_orders_total(self, params_: Params = NONE) -> int:
        """The number of pending orders."""
        return len(self.get_pending_orders(params_))

    def get_history_orders(self, params_: Params = NONE) -> list[dict[str, Any]]:
        """Orders that are done, by the time they were done: from, to, symbol, ticket, position. TradeOrder fields."""
        return self._mas.records.rows(params.history_orders, params_)

    def get_history_orders_total(self, params_: Params = NONE) -> int:
        """The number of orders that `get_history_orders` returns."""
        return len(self.get_history_orders(params_))

    def get_order_history(self, params_: Params = NONE) -> list[dict[str, Any]]:
        """Deals: from, to, symbol, ticket (of the order), position. TradeDeal fields."""
        return self._mas.records.rows(params.order_history, params_)

    def get_symbols(self, params_: Params = NONE) -> list[dict[str, Any]]:
        """Symbols of the account: group (wildcards)."""
        return self._mas.records.rows(params.symbols, params_)

    def get_symbols_total(self, params_: Params = NONE) -> int:
        """The number of symbols that `get_symbols` returns."""
        return len(self.get_symbols(params_))

    def order_check(self, params_: dict[str, Any]) -> dict[str, Any]:
        """Would this order pass? retcode (0 = yes), balance, equity, profit, margin ... after it; {} on failure."""
        return self._mas.records.check(params_)

    @_speaking
    def get_bars_from_pos(self, params_: dict[str, Any]) -> pandas.DataFrame:
        """The newest bars, the newest last: symbol, timeframe, count, start_pos (0: the bar that is not complete yet).

        Columns: time (UTC), open, high, low, close, tick_volume, spread (points), real_volume. In a replay it ends
        with what has happened so far. No rows on failure. Raises CallerError when pandas is not installed.
        """
        return self._mas.history.frame(params_)

    @_speaking
    def get_start_date(self, to_date: str | date, timeframe: str, kbar_num: int) -> str:
        """The day ("YYYY-MM-DD") from which on there are so many daily bars up to `to_date`, if no day is a holiday.

        Counts whole weeks of five trading days. `timeframe` is "D1"; raises InvalidField, a ValueError, for others.
        """
        return params.start_date(to_date, timeframe, kbar_num)

    def calc_order_margin(self, params_: dict[str, Any]) -> float:
        """The margin of an order in the account's currency: action, symbol, volume, price. -1.0 on failure."""
        return self._mas.records.calculate(params.calc_order_margin, params_)

    def calc_order_profit(self, params_: dict[str, Any]) -> float:
        """The profit in the account's currency: action, symbol, volume, price_open, price_close. -1.0 on failure."""
        return self._mas.records.calculate(params.calc_order_profit, params_)

    # ---- market data ---------------------------------------------------------------------------------------------

    @_speaking
    def subscribe_bars(self, params_: dict[str, Any]) -> None:
        """Bars to `receive_bars`. In a backtest: replays from..to on a fresh account, and returns at its end.

        Callbacks of the account run meanwhile on this thread, in simulated time. Raises DataMissing, CallerError,
        NotConnected; an exception in a callback ends the replay and is raised here.
        """
        self._mas.market.bars(params_)

    @_speaking
    def subscribe_ticks(self, params_: dict[str, Any]) -> None:
        """Ticks to `receive_ticks`; otherwise as `subscribe_bars`."""
        self._mas.market.ticks(params_)

    @_speaking
    def unsubscribe_bars(self, params_: dict[str, Any]) -> None:
        """End the replay of this symbol (and timeframe) before its next bar."""
        self._mas.market.stop(params.unsubscribe(params_), ticks=False)

    @_speaking
    def unsubscribe_ticks(self, params_: dict[str, Any]) -> None:
        """End the replay of this symbol before its next tick."""
        self._mas.market.stop(params.unsubscribe(params_), ticks=True)

    def stop_all_subscriptions(self) -> None:
        """End every replay before its next row."""
        self._mas.market.stop_all()

    def subscribe_market_book(self, params_: dict[str, Any]) -> bool:
        """Follow the depth of market of a symbol: True when it has one."""
        return self._mas.depth.subscribe(params_)

    def get_market_book(self, params_: dict[str, Any]) -> list[dict[str, Any]]:
        """The levels of a symbol that is followed, from the highest price down: type (BOOK_TYPE_SELL 1,
        BOOK_TYPE_BUY 2), price, volume, volume_dbl. Empty on failure.
        """
        return self._mas.depth.read(params_)

    def unsubscribe_market_book(self, params_: dict[str, Any]) -> bool:
        """Stop following the depth of market of a symbol: False when it was not followed."""
        return self._mas.depth.unsubscribe(params_)

    # ---- reports -------------------------------------------------------------------------------------------------

    def generate_data_report(self, params_: Params = NONE) -> dict[str, Any]:
        """The figures of the newest replay, or of the account: {"status": True, "data": ...}.

        {"status": False, "error": text} when there is nothing to report. Never raises. See `docs/reference/kpis.md`.
        """
        return self._mas.reports.data(params_)

    def generate_kpi_report(self, params_: Params = NONE, *, directory: Directory = None) -> dict[str, Any]:
        """Write `kpi_report.html` into a directory (the current one): {"status": True, "path": ...}.

        {"status": False, "error": text} when there is nothing to report, or it cannot be written. Never raises.
        """
        return self._mas.reports.kpis(params_, directory)

    def generate_trade_chart(self, params_: Params = NONE, *, directory: Directory = None) -> dict[str, Any]:
        """Write `trade_chart.html`: prices with entries and exits. Otherwise as `generate_kpi_report`."""
        return self._mas.reports.chart(params_, directory)

    # ---- end -----------------------------------------------------------------------------------------------------

    def set_lang(self, lang: str) -> None:
        """The language of messages from now on: "en" (as at first), "zh-tw" or "zh-cn". Raises InvalidField.

        Texts of errors, of answers and of `message` in events, warnings and reports; never what programs look at.
        """
        with self._mas.hub.speaking():
            self._mas.hub.language = Language(check_language(lang))

    def get_version(self) -> dict[str, Any]:
        """Which release this is: version, build (the version of the messages on the wire), release_date."""
        return {"version": VERSION, "build": messages.VERSION, "release_date": RELEASED}

    def initialize_mt5(self) -> bool:
        """Connect now, and not only with the first command: True when commands can be sent.

        After `shutdown_mt5` or `close` the client opens again, with the same settings and the same account. Simulated
        accounts start anew.
        """
        with _MAKING:
            if self._mas.hub.closed:
                self._open_again()
        return self._mas.hub.connect()

    reconnect_mt5 = initialize_mt5

    def shutdown_mt5(self) -> None:
        """As `close`; `reconnect_mt5` opens again. Terminals belong to their workers, and keep running."""
        self.close()

    def _open_again(self) -> None:
        old = self.__inside
        self.__inside = self._assemble(old.hub.settings)
        self.__inside.desk.current, self.__inside.hub.language = old.desk.current, old.hub.language
        _OPEN.add(self)

    def check_connection(self) -> bool:
        """Whether commands can be sent now."""
        return self._mas.hub.is_connected()

    def close(self, timeout: float = 10.0) -> None:
        """Wait for orders in flight and callbacks that are due, then disconnect. May be repeated; never raises."""
        self._mas.market.stop_all()
        self._mas.hub.close(timeout)
        _OPEN.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _first(given: str | None, url: str | None, variable: str, default: str) -> str:
    """An argument wins over the environment, the special one over the general one."""
    if given is not None:
        return given
    return default if url is not None else os.environ.get(variable, default)


@atexit.register
def _close_all() -> None:
    """A program that ends right after `send_order` still hears what became of the order."""
    for client in list(_OPEN):
        client.close(EXIT_SECONDS)
