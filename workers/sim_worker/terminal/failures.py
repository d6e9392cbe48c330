"""What goes wrong in a call: a code and a text for `last_error`, as the MetaTrader5 package says them. Pure."""

from __future__ import annotations

from typing import Final

from mas_router.mt5 import ResultCode

SUCCESS: Final = (int(ResultCode.OK), "Success")

#: The texts of the terminal's own answers and of the connection to it.
TEXTS: Final[dict[int, str]] = {
    ResultCode.FAIL: "Terminal: Call failed",
    ResultCode.INVALID_PARAMS: "Terminal: Invalid params",
    ResultCode.NO_MEMORY: "Terminal: Out of memory",
    ResultCode.NOT_FOUND: "Terminal: Not found",
    ResultCode.INVALID_VERSION: "Terminal: Incompatible versions",
    ResultCode.AUTH_FAILED: "Terminal: Authorization failed",
    ResultCode.UNSUPPORTED: "Terminal: Unsupported function",
    ResultCode.AUTO_TRADING_DISABLED: "Auto-Trading using Python API disabled in Terminal",
    ResultCode.INTERNAL_FAIL: "IPC call failed",
    ResultCode.INTERNAL_FAIL_SEND: "IPC send failed",
    ResultCode.INTERNAL_FAIL_RECEIVE: "IPC recv failed",
    ResultCode.INTERNAL_FAIL_INIT: "IPC initialize failed",
    ResultCode.INTERNAL_FAIL_CONNECT: "No IPC connection",
    ResultCode.INTERNAL_FAIL_TIMEOUT: "IPC timeout",
}


class CallFailed(Exception):
    """A call of the package ends without a result; this is what `last_error` then says."""

    def __init__(self, code: int, text: str = "") -> None:
        self.code, self.text = int(code), text or TEXTS.get(code, "")
        super().__init__(f"({self.code}, {self.text!r})")


class BadArgument(CallFailed):
    """The package refuses the arguments itself, before the terminal hears of the call."""

    def __init__(self, text: str = "Invalid arguments") -> None:
        super().__init__(int(ResultCode.INVALID_PARAMS), text)
