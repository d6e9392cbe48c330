"""Reports: asks the worker for an account's deals and its replay's prices, and writes pages.

A report is of the newest replay of the client, also while it runs, up to the row that the strategy sees; without a
replay, of the account that a call without `backtest_toggle` means.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mas import params
from mas._account import Account
from mas._accounts import BacktestAccount
from mas._answering import check_may_wait
from mas._hub import Hub
from mas._line import accepted
from mas._records import Records
from mas._trading import Desk
from mas.params import QueryParams
from mas_router.errors import InvalidField, MasError, RemoteError
from mas_router.messages import Chunk, Fetch, Message

if TYPE_CHECKING:  # numpy comes in when a report is wanted, not with `import mas`
    from mas._report.curve import Market
    from mas._report.report import Report

log = logging.getLogger("mas")

KPI_FILE: Final = "kpi_report.html"
CHART_FILE: Final = "trade_chart.html"
Answer = dict[str, Any]
Directory = str | os.PathLike[str] | None

_AHEAD = 4
_PATIENCE = 30.0
_NS_PER_MS = 1_000_000


class Reports:
    """The reports of one client. What goes wrong is told in the answer: nothing is raised."""

    def __init__(self, hub: Hub, desk: Desk, records: Records) -> None:
        self._hub, self._desk, self._records = hub, desk, records

    def data(self, raw: object) -> Answer:
        return self._answer(lambda: {"data": self.report(raw).data()})

    def kpis(self, raw: object, directory: Directory) -> Answer:
        def make() -> Answer:
            return {"path": _write(directory, KPI_FILE, self.report(raw).kpi_page(_asset, self._hub.language.name))}

        return self._answer(make)

    def chart(self, raw: object, directory: Directory) -> Answer:
        def make() -> Answer:
            page = self.report(raw).chart_page(_asset, self._hub.language.name)
            return {"path": _write(directory, CHART_FILE, page)}

        return self._answer(make)

    def _answer(self, make: Callable[[], Answer]) -> Answer:
        try:
            self._hub.check_open()
            return {"status": True, **make()}
        except (MasError, OSError) as error:
            log.warning("no report: %s", error)
            return {"status": False, "error": self._hub.say(str(error))}

    # ---- what it is about --------------------------------------------------------------------------------------------

    def report(self, raw: object) -> Report:
        """Everything that a report needs. Raises MasError: nothing to report, no account, no connection."""
        from mas._report.report import Account as Head
        from mas._report.report import report

        given = params.account_info(raw)
        account = self._account(given)
        check_may_wait()
        info = next(self._records.of(account, given))
        deals = list(self._records.of(account, replace(given, what="deals", since=0)))
        simulated = isinstance(account, BacktestAccount)
        swaps = list(self._records.of(account, replace(given, what="swaps"))) if simulated else []
        opening = account.opening if isinstance(account, BacktestAccount) else None
        opened = account.opened if isinstance(account, BacktestAccount) else None
        head = Head(
            info=info,
            mode=account.mode,
            symbol=", ".join(opening.symbols) if opening is not None else "",
            timeframe=", ".join(opening.timeframes) if opening is not None else "",
            synthetic=opened is not None and opened.synthetic,
            seed=opening.seed if opening is not None else 0,
        )
        return report(head, deals, self._markets(account), time.time_ns() // _NS_PER_MS, swaps)

    def _account(self, given: QueryParams) -> Account:
        named = given.account or given.server or given.backtest is not None
        replays = [account for account in self._hub.backtests.values() if account.opened and account.opened.chunk]
        if named or not replays:
            return self._desk.account(given)
        running = [account for account in replays if account.inline is not None]
        return max(running or replays, key=_opened_at)

    # ---- the rows of its replay --------------------------------------------------------------------------------------

    def _markets(self, account: Account) -> Sequence[Market]:
        """The rows that the strategy has seen, by symbol; none for an account without a replay."""
        if not isinstance(account, BacktestAccount) or account.opened is None or account.row < 0:
            return ()
        from mas._report.market import markets

        opening = account.opening
        if opening is None or not opening.symbols:
            return ()
        chunks = self._chunks(account, account.row, account.opened.chunk)
        return markets(opening.symbols, chunks, ticks=opening.ticks)

    def _chunks(self, account: BacktestAccount, row: int, size: int) -> Iterator[Chunk]:
        waiting: deque[Future[Message]] = deque()
        for start in range(0, row + 1, size):
            command = Fetch(id=self._hub.new_id(), client=self._hub.client, start=start, at=row, marks=True)
            waiting.append(account.line.start_call(account.exchange, account.key(command), command, account.target))
            if len(waiting) >= _AHEAD:
                yield _chunk(waiting.popleft())
        while waiting:
            yield _chunk(waiting.popleft())


def _opened_at(account: BacktestAccount) -> int:
    """When the account was opened, by this machine's clock: two may be at two workers."""
    return account.opened.time - account.offset if account.opened is not None else 0


def _chunk(future: Future[Message]) -> Chunk:
    try:
        chunk = accepted(future.result(_PATIENCE))
    except FutureTimeout:
        raise RemoteError("the simulator did not send the prices of the replay in time") from None
    if not isinstance(chunk, Chunk):
        raise RemoteError(f"unexpected answer to fetch: {chunk.kind}")
    return chunk


# ---- files -----------------------------------------------------------------------------------------------------------


def _asset(name: str) -> str:
    """A file of the report package: the pages' style and programs."""
    return (files("mas._report") / name).read_text(encoding="utf-8")


def _write(directory: Directory, name: str, page: str) -> str:
    """Write a page, whole or not at all; its path. Makes the directory when it is not there."""
    folder = _folder(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / name).absolute()
    part = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        part.write_text(page, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return str(path)


def _folder(directory: object) -> Path:
    try:
        path = Path() if directory is None else Path(directory)  # type: ignore[arg-type]  # asks it, and may refuse
    except Exception:  # a stranger's __fspath__ may raise anything
        path = Path("\0")
    if "\0" in str(path):
        raise InvalidField("directory", directory, "the path of a directory")
    return path
