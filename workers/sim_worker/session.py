"""One simulated account: its engine, its market, and what it has answered.

Pure: commands and a time in, messages out. The law is kept here: an id acts at most once, a command whose deadline has
passed ends STALE, and a question about an unknown id buries it before it is answered.
"""

from __future__ import annotations

from collections.abc import Iterable

from mas_router import mt5
from mas_router.messages import (
    Advance,
    Answer,
    Calc,
    Check,
    Chunk,
    Command,
    Event,
    Fetch,
    Open,
    Ping,
    Pong,
    Query,
    Rates,
    Refused,
    Reply,
    Report,
    Resolve,
    Status,
    Trade,
    TradeRequest,
    TradeResult,
)
from mas_router.orders import State
from mas_router.request import completed
from sim_worker import events, history, records
from sim_worker.answers import Answers
from sim_worker.bars import TIMEFRAMES
from sim_worker.engine import Change, Engine
from sim_worker.market import Market
from sim_worker.marks import Marks
from sim_worker.queries import select
from sim_worker.quotes import MINUTE
from sim_worker.replay import ReplayMarket

#: Events in one report; more of them are spread over several, so that none outgrows the limit of a message.
EVENTS_PER_REPORT = 48
#: A record has up to 24 fields, a symbol up to 96; an answer stays below the limit of a message.
ROWS_PER_ANSWER, SYMBOLS_PER_ANSWER = 80, 20
#: Rows of a replay in one message, so that it stays within the limit.
CHUNK_ROWS = 1000
_DONE = frozenset({mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_DONE_PARTIAL, mt5.TRADE_RETCODE_PLACED})


class Session:
    """A simulated account with its own market. `now` is always the worker's clock in UTC ns."""

    def __init__(
        self, opening: Open, engine: Engine, market: Market, symbols: tuple[str, ...], chunk: int = CHUNK_ROWS
    ) -> None:
        self.symbols, self.chunk = symbols, chunk
        self.opening, self.engine, self.market = opening, engine, market
        self.name = opening.session
        self.seq = 0
        self.handled = 0
        self.row = -1
        self.answers = Answers()
        self.marks: Marks | None = None

    def handle(self, command: Command, now: int) -> list[Reply]:
        """The messages that answer a command, in the order in which they are to be sent."""
        self.handled += 1
        match command:
            case Trade():
                return [*self._trade(command, now)]
            case Resolve():
                return [self._resolve(name, now) for name in command.ids]
            case Advance():
                return [*self._advance(command, now)]
            case Fetch():
                return [*self._fetch(command)]
            case Rates():
                return [self._rates(command, now)]
            case Query():
                symbol = command.symbol if command.what in ("symbols", "tick", "book") else ""
                return [*self._quoted(symbol, now, command.at), self._query(command, now)]
            case Check() | Calc():
                symbol = command.request.symbol if isinstance(command, Check) else command.symbol
                return [*self._quoted(symbol, now, command.at), self._calculate(command, now)]
            case Ping():
                return [Pong(id=command.id, session=self.name, time=now)]
            case _:
                return [self._refused(command.id, "unexpected", f"a session does not take {command.kind} commands")]

    # ---- time ----------------------------------------------------------------------------------------------------

    def follow(self, now: int, at: int = -1) -> list[Report]:
        """Let the market move up to now (or to row `at` of a replay), and report what happened in it."""
        moment = self._moment(now, at)
        return self._reports(self.market.advance(self.engine, moment), "", None, None)

    def _quoted(self, symbol: str, now: int, at: int) -> list[Report]:
        """Follow the market, after making sure that this symbol is quoted in it (if it can be)."""
        if symbol and self.engine.last_quote(symbol) is None:
            self.market.watch(symbol)
        return self.follow(now, at)

    def _moment(self, now: int, at: int) -> int:
        market = self.market
        if not isinstance(market, ReplayMarket):
            return now
        self.row = max(self.row, min(at, market.known_rows - 1))
        return self.row

    def _time(self, now: int) -> int:
        return self.market.now(self.row) if self.market.replays else now

    def _advance(self, command: Advance, now: int) -> Iterable[Report]:
        if not self.market.replays:
            return [self._empty(command.id)]
        moved = self.market.advance(self.engine, self._moment(now, command.to))
        return self._reports(moved, command.id, None, None)

    def _fetch(self, command: Fetch) -> Iterable[Reply]:
        market = self.market
        if not isinstance(market, ReplayMarket):
            return [self._refused(command.id, "unexpected", "this account has no replay")]
        self.row = max(self.row, min(command.at, market.known_rows - 1))
        if command.marks:
            return [self._marks(command, market)]
        passed = self._reports(market.forget(self.engine, self.row), "", None, None)
        rows = market.rows(command.start, self.chunk)
        if rows is None:
            text = f"row {command.start} of the replay is not at hand; the strategy was said to be at row {self.row}"
            return [*passed, self._refused(command.id, "unexpected", text)]
        chunk = Chunk(
            id=command.id,
            session=self.name,
            start=command.start,
            count=rows.count,
            parts=rows.parts,
            order=rows.order,
            end=rows.end,
        )
        return [*passed, chunk]

    def _marks(self, command: Fetch, market: ReplayMarket) -> Reply:
        if self.marks is None:
            self.marks = Marks(market.again, self.engine.symbol_spec, self.engine.account.currency)
        end = min(command.start + self.chunk, self.row + 1)
        count, parts = max(0, end - command.start), self.marks.rows(command.start, end)
        return Chunk(id=command.id, session=self.name, start=command.start, count=count, parts=parts)

    def _rates(self, command: Rates, now: int) -> Reply:
        """A read only: the engine need not have come as far."""
        spec, market = self.engine.symbol_spec(command.symbol), self.market
        if command.timeframe not in TIMEFRAMES:
            return self._refused(command.id, "invalid", f"timeframe {command.timeframe!r} does not exist")
        moment = self._moment(now, command.at)
        minutes = history.minutes_needed(command.timeframe, command.start + command.count)
        if command.before:
            minutes += max(0, self._time(now) - command.before) // MINUTE
        source = market.history(command.symbol, minutes, moment)
        if source is None or spec is None:
            return self._refused(command.id, "invalid", f"symbol {command.symbol!r} has no bars in this account")
        bars = history.newest(source, command.timeframe, command.start, command.count, command.before)
        columns = history.columns(bars, spec.point)
        return Chunk(id=command.id, session=self.name, start=command.start, count=len(bars), parts=(columns,))

    # ---- trading -------------------------------------------------------------------------------------------------

    def _trade(self, trade: Trade, now: int) -> Iterable[Reply]:
        known = self.answers.find(trade.id)
        if known is not None and known.same(trade):
            return [report.model_copy(update={"repeated": True}) for report in known.reports]
        if known is not None or self.answers.is_gone(trade.id):
            return [self._twice(trade, now)]
        if trade.deadline and now > trade.deadline:
            return self._remember(trade, [self._stale(trade, now)])
        return self._execute(trade, now)

    def _execute(self, trade: Trade, now: int) -> list[Report]:
        before = self._quoted(trade.request.symbol, now, trade.at)
        time = self._time(now)
        target = self._target(trade.request)
        request = self._priced(self._complete(trade, target))
        outcome = self.engine.trade(request, time, client_id=trade.id, auto_filling=trade.auto_filling)
        found = [self._event(change, outcome.note) for change in outcome.changes]
        if not any(isinstance(event, Status) for event in found):
            found.insert(0, self._bare_status(trade, outcome.result, target, time, outcome.note))
            self.answers.note(found[0])
        return before + self._remember(trade, self._pack(found, trade.id, trade.request, outcome.result))

    def _complete(self, trade: Trade, target: records.Order | None) -> TradeRequest:
        """The request in which levels that the user did not name stay as they are (MT5 replaces all of them)."""
        if not trade.keep:
            return trade.request
        record: records.Order | records.Position | None = target
        if trade.verb == "sltp":
            record = next((p for p in self.engine.positions() if p.ticket == trade.request.position), None)
        return completed(trade.request, trade.keep, records.row(record)) if record is not None else trade.request

    def _priced(self, request: TradeRequest) -> TradeRequest:
        """Clients name no price for a deal at the market; instant and request execution want that of this moment."""
        spec, quote = self.engine.symbol_spec(request.symbol), self.engine.last_quote(request.symbol)
        if request.action != mt5.TRADE_ACTION_DEAL or request.price or spec is None or quote is None:
            return request
        if spec.execution not in (mt5.SYMBOL_TRADE_EXECUTION_REQUEST, mt5.SYMBOL_TRADE_EXECUTION_INSTANT):
            return request
        return request.model_copy(update={"price": quote[1] if request.type & 1 else quote[2]})

    def _target(self, request: TradeRequest) -> records.Order | None:
        """The resting order that a cancellation or modification names, as it is before."""
        return self.engine.order(request.order) if request.order else None

    def _bare_status(
        self, trade: Trade, result: TradeResult, target: records.Order | None, time: int, note: str
    ) -> Status:
        """The status of a request that changed no order: it was refused, or it only moved the stops of a position."""
        if result.retcode not in _DONE:
            return self._refusal(trade, result, target, time, note)
        return Status(
            id="",
            verb=trade.verb,
            state=State.FILLED,
            retcode=result.retcode,
            message=result.comment,
            reason="modified",
            position=trade.request.position,
            symbol=trade.request.symbol,
            time=time,
            row=self.row,
        )

    def _refusal(self, trade: Trade, result: TradeResult, target: records.Order | None, time: int, note: str) -> Status:
        name = trade.id if trade.verb == "send" else self._subject(trade.request, target)
        newest = self.answers.newest(name)
        return Status(
            id=name,
            verb=trade.verb,
            state=newest.state if newest is not None else State.REJECTED,
            retcode=result.retcode,
            message=f"{result.comment}: {note}" if note else result.comment,
            reason="refused",
            ticket=trade.request.order,
            position=trade.request.position,
            order_type=events.order_type(trade.request.type) if trade.verb == "send" else "",
            symbol=trade.request.symbol,
            volume=trade.request.volume,
            magic=trade.request.magic,
            time=time,
            row=self.row,
        )

    def _subject(self, request: TradeRequest, target: records.Order | None) -> str:
        """The client order id of the order that a refused change was about, even if that order is done."""
        if not request.order:
            return next((p.client_id for p in self.engine.positions() if p.ticket == request.position), "")
        done = reversed(self.engine.history_orders()) if target is None else ()
        subject = target or next((order for order in done if order.ticket == request.order), None)
        return subject.client_id if subject is not None else ""

    def _stale(self, trade: Trade, now: int) -> Report:
        late = (now - trade.deadline) / 1e6
        message = f"not executed: its deadline had passed {late:.0f} ms before the simulator saw it"
        status = self._unsent(trade.id, State.STALE, "deadline", message, now)
        return self._report([status], trade.id, trade.request, TradeResult(retcode=0, comment=message))

    def _twice(self, trade: Trade, now: int) -> Report:
        """The id is taken. This is about the second command, so the order that has the id is not touched."""
        why = "was used before, for another order" if self.answers.find(trade.id) else "was used or given up before"
        message = f"client_order_id {trade.id!r} {why}"
        status = self._unsent(trade.id, State.DENIED, "duplicate_id", message, now)
        return self._report([status], trade.id, trade.request, TradeResult(retcode=0, comment=message))

    def _unsent(self, name: str, state: State, reason: str, message: str, now: int) -> Status:
        return Status(id=name, state=state, message=message, reason=reason, time=self._time(now), row=self.row)

    def _resolve(self, name: str, now: int) -> Report:
        known = self.answers.find(name)
        if known is None:
            self.answers.bury(name)
            text = "it never reached the simulator, and from now on it cannot"
            found: tuple[Event, ...] = (self._unsent(name, State.STALE, "never_seen", text, now),)
            return self._report(list(found), name, None, TradeResult(retcode=0, comment=text), repeated=True)
        found = self.answers.events(name) or known.reports[-1].events
        return self._report(list(found), name, known.request, known.reports[-1].result, repeated=True)

    # ---- reports -------------------------------------------------------------------------------------------------

    def _event(self, change: Change, note: str = "") -> Event:
        symbol = change.order.symbol
        event = events.event(change, self.row, self.engine.last_quote(symbol), note)
        self.answers.note(event)
        return event

    def _reports(
        self, changes: list[Change], name: str, request: TradeRequest | None, result: TradeResult | None
    ) -> list[Report]:
        found = [self._event(change) for change in changes]
        return self._pack(found, name, request, result) if found or name else []

    def _pack(
        self, found: list[Event], name: str, request: TradeRequest | None, result: TradeResult | None
    ) -> list[Report]:
        if len(found) <= EVENTS_PER_REPORT:
            return [self._report(found, name, request, result)]
        head, tail = found[:EVENTS_PER_REPORT], found[EVENTS_PER_REPORT:]
        first = self._report(head, name, request, None, more=True)
        return [first, *self._pack(tail, name, request, result)]

    def _report(
        self,
        found: list[Event],
        name: str,
        request: TradeRequest | None,
        result: TradeResult | None,
        *,
        more: bool = False,
        repeated: bool = False,
    ) -> Report:
        if found and not repeated:
            self.seq += 1
        opening = self.opening
        return Report.made(
            id=name,
            session=self.name,
            mode="backtest",
            server=opening.server,
            login=opening.login,
            seq=self.seq,
            request=request,
            result=result,
            events=tuple(found),
            horizon=0 if more else self.market.horizon(self.engine),
            more=more,
            repeated=repeated,
        )

    def _empty(self, name: str) -> Report:
        return self._report([], name, None, None)

    def _remember(self, trade: Trade, reports: list[Report]) -> list[Report]:
        self.answers.remember(trade, tuple(reports))
        return reports

    def _refused(self, name: str, code: str, message: str) -> Refused:
        return Refused(id=name, code=code, message=message)

    # ---- questions -----------------------------------------------------------------------------------------------

    def _calculate(self, command: Check | Calc, now: int) -> Answer:
        if isinstance(command, Check):
            return Answer(id=command.id, rows=(self.engine.check(self._priced(command.request), self._time(now)),))
        return Answer(id=command.id, rows=({"value": self._calc(command)},))

    def _calc(self, command: Calc) -> float | None:
        if command.close is None:
            return self.engine.calc_margin(command.type, command.symbol, command.volume, command.price)
        engine = self.engine
        return engine.calc_profit(command.type, command.symbol, command.volume, command.price, command.close)

    def _query(self, query: Query, now: int) -> Answer:
        rows = select(self.engine, self.symbols, query)
        stop = query.offset + (SYMBOLS_PER_ANSWER if query.what == "symbols" else ROWS_PER_ANSWER)
        more = stop if stop < len(rows) else 0
        return Answer(id=query.id, rows=tuple(rows[query.offset : stop]), next=more)
