"""Every message that travels between a client and a worker.

Pure. Frozen, strict models in one discriminated union (`kind`). Times are integers: nanoseconds since 1970 in UTC.
Prices are in the symbol's quote currency, volumes in lots. Nothing here may ever carry a password.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from mas_router.orders import State

VERSION = 1
#: Symbols times timeframes in one replay: a chunk names the stream of a row in one byte, and all their columns fit.
MAX_STREAMS = 64

Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:~-]+$")]
Name = Annotated[str, Field(max_length=64)]
Text = Annotated[str, Field(max_length=1024)]
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Unsigned = Annotated[int, Field(ge=0, lt=2**63)]
#: Prices, volumes and money in commands: beyond any market, and small enough that no calculation overflows.
Amount = Annotated[float, Field(ge=-1e15, le=1e15)]
Scalar = str | int | float | bool | None
Row = dict[str, Scalar]
StateField = Annotated[State, Field(strict=False)]
Verb = Literal["send", "cancel", "modify", "sltp"]
#: `package.module:Class`, of files in a directory that the host's owner chose. Never a path, and no `..`.
ImportPath = Annotated[
    str, Field(max_length=256, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*:[A-Za-z_][A-Za-z0-9_]*$")
]


class Wire(BaseModel):
    """What all messages share: immutable, no unknown fields, no conversions, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def made(cls, **values: object) -> Self:
        """Without a check of the values, five times faster: for a program's own ones. Who receives it checks them."""
        blank, names = _blank(cls)
        message: Self = _new(cls)
        _set_values(message, blank | values)
        _set_names(message, names)
        _set_extra(message, None)
        _set_private(message, None)
        return message


_new: Final = object.__new__
# Past the guard of a frozen model, to the places where pydantic keeps what a model is made of.
_set_values, _set_names, _set_extra, _set_private = (
    BaseModel.__dict__[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


@cache
def _blank(of: type[Wire]) -> tuple[dict[str, object], set[str]]:
    """The defaults of a message, in the order of its fields, and their names."""
    fields = of.model_fields
    return {name: field.get_default() for name, field in fields.items()}, set(fields)


class TradeRequest(Wire):
    """The 17 fields of an MT5 trade request (MqlTradeRequest).

    `expiration` is in UTC seconds, `deviation` in points.
    """

    action: Unsigned
    magic: Unsigned = 0
    order: Unsigned = 0
    symbol: Name = ""
    volume: Amount = 0.0
    price: Amount = 0.0
    stoplimit: Amount = 0.0
    sl: Amount = 0.0
    tp: Amount = 0.0
    deviation: Unsigned = 0
    type: Unsigned = 0
    type_filling: Unsigned = 0
    type_time: Unsigned = 0
    expiration: Unsigned = 0
    comment: Name = ""
    position: Unsigned = 0
    position_by: Unsigned = 0


class TradeResult(Wire):
    """What an MT5 trade server answers to a request (MqlTradeResult)."""

    retcode: Unsigned
    deal: Unsigned = 0
    order: Unsigned = 0
    volume: float = 0.0
    price: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    comment: Text = ""
    request_id: Unsigned = 0


# ---- commands: client -> worker ------------------------------------------------------------------------------------


class Open(Wire):
    """Open a simulated account (a session). `source` is the quotes: synthetic or catalog; no `timeframes` and
    `ticks` False mean a market that follows the wall clock, else a replay of `since`..`until`: bars of each symbol in
    each timeframe, or ticks of each symbol. The money is as the worker's settings of the account say, where nothing is
    asked for.
    """

    kind: Literal["open"] = "open"
    v: Literal[1] = 1
    id: Id
    client: Id
    session: Id
    server: Name = ""
    login: Name = ""
    deposit: Amount | None = None
    currency: Name | None = None
    leverage: Unsigned | None = None
    margin_mode: Literal["hedging", "netting", "exchange"] | None = None
    source: Literal["synthetic", "catalog"] = "synthetic"
    seed: Unsigned = 1
    symbols: Annotated[tuple[Name, ...], Field(max_length=MAX_STREAMS)] = ()
    timeframes: Annotated[tuple[Name, ...], Field(max_length=MAX_STREAMS)] = ()
    ticks: bool = False
    since: Int64 = 0
    until: Int64 = 0


class Attach(Wire):
    """Ask the worker of a live account for its epoch and for the right to trade. Carries no secret."""

    kind: Literal["attach"] = "attach"
    v: Literal[1] = 1
    id: Id
    client: Id
    server: Name
    login: Name


class Trade(Wire):
    """One trade request. `id` is the client order id: the same id never reaches the market twice.

    `deadline` is on the worker's clock; past it the worker answers STALE. 0: a replay, where only simulated time
    counts. `at` is the row of the replay at which the strategy is, -1 on a live market. `auto_filling`: the caller
    named no filling mode, so the symbol's first allowed one may replace FOK. `keep`: fields of a modification that
    stay as they are.
    """

    kind: Literal["trade"] = "trade"
    v: Literal[1] = 1
    id: Id
    client: Id
    verb: Verb = "send"
    request: TradeRequest
    deadline: Unsigned = 0
    epoch: Unsigned = 0
    at: Int64 = -1
    auto_filling: bool = False
    keep: Annotated[tuple[Name, ...], Field(max_length=8)] = ()


class Resolve(Wire):
    """Ask what became of these command ids. An id the worker never saw gets a tombstone: it will never execute."""

    kind: Literal["resolve"] = "resolve"
    v: Literal[1] = 1
    id: Id
    client: Id
    ids: Annotated[tuple[Id, ...], Field(max_length=200)]


class Query(Wire):
    """Ask for records of the account. `offset` continues a long answer. Swaps: what a simulated account charged to open
    positions at the ends of days, which the balance shows when they are closed.
    """

    kind: Literal["query"] = "query"
    v: Literal[1] = 1
    id: Id
    client: Id
    what: Literal["positions", "orders", "history_orders", "deals", "account", "symbols", "tick", "book", "swaps"]
    symbol: Name = ""
    group: Text = ""
    ticket: Unsigned = 0
    position: Unsigned = 0
    since: Int64 = 0
    until: Int64 = 0
    offset: Unsigned = 0
    at: Int64 = -1


class Check(Wire):
    """order_check: would this request pass, and what would the account look like after it?"""

    kind: Literal["check"] = "check"
    v: Literal[1] = 1
    id: Id
    client: Id
    request: TradeRequest
    at: Int64 = -1


class Calc(Wire):
    """order_calc_margin (`close` is None) or order_calc_profit. `type` is ORDER_TYPE_BUY or ORDER_TYPE_SELL."""

    kind: Literal["calc"] = "calc"
    v: Literal[1] = 1
    id: Id
    client: Id
    type: Literal[0, 1]
    symbol: Name
    volume: Amount
    price: Amount
    close: Amount | None = None
    at: Int64 = -1


class Fetch(Wire):
    """Ask for the rows of a replay from `start` on, in one Chunk. The strategy has come to row `at`: what lies behind
    it may be let go. `marks`: what it takes to value positions at these rows instead, up to row `at`.
    """

    kind: Literal["fetch"] = "fetch"
    v: Literal[1] = 1
    id: Id
    client: Id
    start: Unsigned
    at: Int64 = -1
    marks: bool = False


class Rates(Wire):
    """Ask for the newest bars of a symbol, in one Chunk with the spread (i8, points) as its seventh column.

    The `start` newest are left out, and those that start at `before` or later. In a replay only what has happened up
    to row `at` counts.
    """

    kind: Literal["rates"] = "rates"
    v: Literal[1] = 1
    id: Id
    client: Id
    symbol: Name
    timeframe: Name
    start: Annotated[int, Field(ge=0, le=100_000)] = 0
    count: Annotated[int, Field(gt=0, le=1000)]
    before: Unsigned = 0
    at: Int64 = -1


class Advance(Wire):
    """The strategy has reached row `to` of the replay: send every event up to it, and the next horizon."""

    kind: Literal["advance"] = "advance"
    v: Literal[1] = 1
    id: Id
    client: Id
    to: Unsigned


class Ping(Wire):
    """Is this session (or account) served?"""

    kind: Literal["ping"] = "ping"
    v: Literal[1] = 1
    id: Id
    client: Id


class Close(Wire):
    """End a simulated account."""

    kind: Literal["close"] = "close"
    v: Literal[1] = 1
    id: Id
    client: Id


class Run(Wire):
    """One whole backtest, for a worker that has the strategy's file: it runs there, and only its figures come back.

    `strategy` is an import path and `code` the beginning of the SHA-256 of that file: no code travels. `params` are
    attributes of the strategy. The subscription's fields are as in Open. A run that takes longer than `seconds` is
    ended. `attempt` counts the workers that it was given to; the one before may have died of it.
    """

    kind: Literal["run"] = "run"
    v: Literal[1] = 1
    id: Id
    client: Id
    strategy: ImportPath
    code: Name = ""
    params: Row = Field(default_factory=dict, max_length=64)
    deposit: Amount | None = None
    leverage: Unsigned | None = None
    margin_mode: Literal["hedging", "netting", "exchange"] | None = None
    source: Literal["synthetic", "catalog"] = "catalog"
    seed: Unsigned = 1
    symbols: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_STREAMS)]
    timeframes: Annotated[tuple[Name, ...], Field(max_length=MAX_STREAMS)] = ()
    ticks: bool = False
    since: Int64
    until: Int64
    seconds: Annotated[float, Field(gt=0, le=604_800)] = 3600.0
    attempt: Annotated[int, Field(ge=1, le=100)] = 1


# ---- events: worker -> client --------------------------------------------------------------------------------------


class Status(Wire):
    """An order's state changed, or a command was refused. `id` is the client order id ("" for an order of nobody)."""

    kind: Literal["status"] = "status"
    id: Annotated[str, Field(max_length=64)]
    verb: Verb = "send"
    state: StateField
    retcode: Unsigned = 0
    message: Text = ""
    reason: Name = ""
    ticket: Unsigned = 0
    position: Unsigned = 0
    order_type: Name = ""
    symbol: Name = ""
    volume: float = 0.0
    filled: float = 0.0
    price: float = 0.0
    magic: Unsigned = 0
    time: Int64 = 0
    row: Int64 = -1


class Execution(Wire):
    """One deal. `order_type` is the type of the order that caused it, `side` the direction of the deal itself."""

    kind: Literal["execution"] = "execution"
    id: Annotated[str, Field(max_length=64)]
    deal: Unsigned
    ticket: Unsigned
    position: Unsigned
    symbol: Name
    order_type: Name
    side: Literal["buy", "sell"]
    entry: Literal["in", "out", "inout", "out_by"]
    reason: Name
    volume: float
    price: float
    requested_price: float = 0.0
    profit: float = 0.0
    commission: float = 0.0
    swap: float = 0.0
    fee: float = 0.0
    cum_volume: float = 0.0
    remaining_volume: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    magic: Unsigned = 0
    comment: Name = ""
    time: Int64 = 0
    row: Int64 = -1


Event = Annotated[Status | Execution, Field(discriminator="kind")]


class Opened(Wire):
    """A session is open. `time` is the worker's clock. Of a replay: rows come in chunks of `chunk`, and nothing can
    happen before row `horizon`.
    """

    kind: Literal["opened"] = "opened"
    v: Literal[1] = 1
    id: Id
    session: Id
    worker: Id
    time: Int64
    epoch: Unsigned = 0
    chunk: Unsigned = 0
    horizon: Unsigned = 0
    synthetic: bool = False


class Refused(Wire):
    """A command was not carried out. `code` is a word for programs, `message` a sentence for people."""

    kind: Literal["refused"] = "refused"
    v: Literal[1] = 1
    id: Id
    code: Name
    message: Text


class Report(Wire):
    """The answer to a trade command and every event it caused, in one message; or, with an empty `id`, events that the
    market caused. `seq` numbers the reports of a session that have news, without gaps; one without news carries the
    newest number. `horizon` is as in Opened. `repeated`: this answers a command that had been answered before.
    """

    kind: Literal["report"] = "report"
    v: Literal[1] = 1
    id: Annotated[str, Field(max_length=64)] = ""
    session: Id
    mode: Literal["backtest", "live"]
    server: Name = ""
    login: Name = ""
    seq: Unsigned
    request: TradeRequest | None = None
    result: TradeResult | None = None
    events: tuple[Event, ...] = ()
    horizon: Unsigned = 0
    repeated: bool = False
    more: bool = False


class Answer(Wire):
    """Rows that were asked for; `next` continues a long answer, 0 ends it."""

    kind: Literal["answer"] = "answer"
    v: Literal[1] = 1
    id: Id
    rows: tuple[Row, ...] = ()
    next: Unsigned = 0


class Chunk(Wire):
    """Rows of a replay: for each stream (symbol by symbol, and timeframe by timeframe for each) its little-endian
    columns. Bars: time (i8, ns), open, high, low, close (f8), volume (i8). Ticks: time, bid, ask, last (f8), volume
    (i8). `order` has a byte for each row, the number of its stream, unless there is only one. `end`: no more rows.
    Marks, of bars or ticks, for each symbol the rows of its shortest bars: time, open, high, low, close, the ask at the
    row's end, and what a move of the price by 1 is worth in the deposit currency to a long and to a short position of
    one lot (f8).
    """

    kind: Literal["chunk"] = "chunk"
    v: Literal[1] = 1
    id: Id
    session: Id
    start: Unsigned
    count: Unsigned
    parts: Annotated[tuple[Annotated[tuple[bytes, ...], Field(max_length=8)], ...], Field(max_length=MAX_STREAMS)]
    order: bytes = b""
    end: bool = False


class RunResult(Wire):
    """What became of a Run. `failed`: `code` is a word for programs, `message` what went wrong, for people.

    `kpis` are the figures of a run that is done, `seconds` how long it took at the worker.
    """

    kind: Literal["run_result"] = "run_result"
    v: Literal[1] = 1
    id: Id
    worker: Name = ""
    status: Literal["done", "failed"]
    code: Name = ""
    message: Text = ""
    kpis: Row = Field(default_factory=dict, max_length=64)
    seconds: Annotated[float, Field(ge=0)] = 0.0


class Pong(Wire):
    """The session is served."""

    kind: Literal["pong"] = "pong"
    v: Literal[1] = 1
    id: Id
    session: Id
    time: Int64


class Beat(Wire):
    """A worker is alive: what it serves, and how long (ms) the broker's confirm of its last beat took to reach it.

    `slots` are free for accounts; of its `run_slots` for whole backtests, `runs` are busy.
    """

    kind: Literal["beat"] = "beat"
    v: Literal[1] = 1
    worker: Id
    host: Name
    pid: Unsigned
    version: Name
    time: Int64
    started: Int64
    sessions: Annotated[tuple[Row, ...], Field(max_length=128)] = ()
    slots: Unsigned = 0
    runs: Unsigned = 0
    run_slots: Unsigned = 0
    handled: Unsigned = 0
    waiting: Unsigned = 0
    lag_ms: float = 0.0
    draining: bool = False


Command = Annotated[
    Open | Attach | Trade | Resolve | Query | Check | Calc | Fetch | Rates | Advance | Ping | Close | Run,
    Field(discriminator="kind"),
]
Reply = Annotated[Opened | Refused | Report | Answer | Chunk | RunResult | Pong | Beat, Field(discriminator="kind")]
Message = Annotated[Command | Reply, Field(discriminator="kind")]
