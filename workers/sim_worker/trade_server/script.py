"""Faults: what is to go wrong, and at which call. Pure; the same calls meet the same faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mas_router.errors import InvalidField
from mas_router.mt5 import ResultCode, Retcode

Kind = Literal[
    "retcode", "no_answer", "placed", "refuse_activation", "hang", "exit", "drop", "manual_login", "human", "requote"
]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Seconds = Annotated[float, Field(ge=0.0, le=86_400.0)]

#: The functions of the package that a fault may meet. The terminal knows each group of copy_* as one function.
GROUPS: Final = {
    **{f"copy_rates_{name}": "copy_rates" for name in ("from", "from_pos", "range")},
    **{f"copy_ticks_{name}": "copy_ticks" for name in ("from", "range")},
}
FUNCTIONS: Final = frozenset(
    {
        "initialize",
        "login",
        "version",
        "terminal_info",
        "account_info",
        "symbols_total",
        "symbols_get",
        "symbol_info",
        "symbol_info_tick",
        "symbol_select",
        "market_book_add",
        "market_book_get",
        "market_book_release",
        "copy_rates",
        "copy_ticks",
        "orders_total",
        "orders_get",
        "positions_total",
        "positions_get",
        "history_orders_total",
        "history_orders_get",
        "history_deals_total",
        "history_deals_get",
        "order_calc_margin",
        "order_calc_profit",
        "order_check",
        "order_send",
    }
)
#: Faults that change how a request is answered or carried out, and no other call.
OF_REQUESTS: Final = ("retcode", "requote", "placed", "refuse_activation")

#: What `no_answer` may say in last_error: the order may have reached the market.
NO_ANSWER: Final = frozenset(
    {ResultCode.INTERNAL_FAIL_SEND, ResultCode.INTERNAL_FAIL_RECEIVE, ResultCode.INTERNAL_FAIL_TIMEOUT, ResultCode.FAIL}
)


class Model(BaseModel):
    """Immutable, without unknown fields and conversions."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Any:
        """From a table of a file or a message; InvalidField names what is wrong."""
        try:
            return cls.model_validate(dict(values), strict=False)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"])) or cls.__name__
            raise InvalidField(name, first["input"], first["msg"]) from None


class Fault(Model):
    """Something that goes wrong at the `nth` matching call after it was armed, and `times` times in all (0: for ever),
    with `every` calls from one to the next.

    A call matches when it is of the function `on` ("*": any), on the account `login` (0: any), and, for trade requests,
    has this `symbol`, this `action` and this text in its `comment`.

    - `retcode`: order_send answers `code`. `when` "after": the trade server has carried the request out all the same.
    - `requote`: order_send answers 10004, with the present bid and ask.
    - `no_answer`: the call returns None or False, and last_error is `code`, or -10002.
    - `placed`: order_send answers 10008, and the deal is made `seconds` later.
    - `refuse_activation`: the pending order that this places ends REJECTED (10041) when its price is reached.
    - `hang`: the call waits for `seconds`, or until `release()` if that is 0.
    - `exit`: the process that called ends at once, as by os._exit(`code`). In the trade server's own process: `drop`.
    - `drop`: the terminal ends; it is there again for the next `initialize`.
    - `manual_login`: a human logs the terminal in to the account `code`, just before the call.
    - `human`: a human sends `request` (fields of a trade request), just before the call.
    """

    kind: Kind
    on: str = "order_send"
    nth: Annotated[int, Field(ge=1, lt=2**31)] = 1
    times: Count = 1
    every: Annotated[int, Field(ge=1, lt=2**31)] = 1
    login: Count = 0
    symbol: str = ""
    action: Count = 0
    comment: str = ""
    when: Literal["before", "after"] = "before"
    code: int = 0
    seconds: Seconds = 0.0
    request: dict[str, int | float | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _function_fits(self) -> Fault:
        if self.on not in ("*", *FUNCTIONS, *GROUPS):
            raise ValueError(f"{self.on!r} is no function of the package that a terminal answers")
        if self.kind in OF_REQUESTS and self.on != "order_send":
            raise ValueError(f"a {self.kind} is met by order_send only")
        return self

    @model_validator(mode="after")
    def _code_fits(self) -> Fault:
        if self.kind == "retcode" and self.code not in set(Retcode):
            raise ValueError("a return code of the trade server, such as 10012")
        if self.kind == "no_answer" and self.code and self.code not in NO_ANSWER:
            raise ValueError("one of -1, -10001, -10002, -10005")
        if self.kind == "manual_login" and self.code <= 0:
            raise ValueError("the login of an account")
        return self

    def matches(self, function: str, login: int, args: Mapping[str, Any]) -> bool:
        if GROUPS.get(self.on, self.on) not in ("*", function) or self.login not in (0, login):
            return False
        request = args.get("request", args)
        return (
            self.symbol in ("", request.get("symbol", ""))
            and self.action in (0, request.get("action", 0))
            and self.comment in request.get("comment", "")
        )


@dataclass(slots=True)
class Armed:
    """A fault and how often it was met."""

    fault: Fault
    met: int = 0
    fired: int = 0

    def meets(self) -> bool:
        """One more matching call: does it go wrong?"""
        self.met += 1
        fault, late = self.fault, self.met - self.fault.nth
        if late < 0 or late % fault.every or (fault.times and self.fired >= fault.times):
            return False
        self.fired += 1
        return True


class Script:
    """The faults that are armed, in the order in which they were."""

    def __init__(self, faults: tuple[Fault, ...] = ()) -> None:
        self.armed = [Armed(fault) for fault in faults]

    def arm(self, fault: Fault) -> None:
        self.armed.append(Armed(fault))

    def clear(self) -> None:
        self.armed.clear()

    def strike(self, function: str, login: int, args: Mapping[str, Any]) -> list[Fault]:
        """What goes wrong at this call."""
        return [a.fault for a in self.armed if a.fault.matches(function, login, args) and a.meets()]
