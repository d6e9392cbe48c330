"""What `send_order` returns: the ticket or the error text, as a string that knows more."""

from __future__ import annotations

from mas_router.orders import FINAL, NEVER_SENT, State


class Known:
    """What is known about one order; the client keeps it up to date."""

    __slots__ = ("client_order_id", "filled", "home", "message", "position", "retcode", "state", "ticket")

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        self.home = ""  # the account, because two of them may give out the same ticket
        self.state = State.NEW
        self.ticket = 0
        self.position = 0
        self.retcode = 0
        self.message = ""
        self.filled = 0.0


class OrderId(str):
    """The id of an order: its ticket, or the text that says why there is none.

    The text never changes; the properties follow the order as long as its client is open.
    """

    __slots__ = ("_known",)
    _known: Known

    def __new__(cls, text: str, known: Known) -> OrderId:
        made = super().__new__(cls, text)
        made._known = known
        return made

    @property
    def ok(self) -> bool:
        """The trade server accepted the order: it has a ticket and was not refused."""
        refused = self.state in NEVER_SENT or self.state is State.REJECTED
        return bool(self.ticket) and not refused and not self.in_doubt

    @property
    def ticket(self) -> int:
        """The ticket of the order at the trade server; 0 when it has none (yet)."""
        return self._known.ticket

    @property
    def position(self) -> int:
        """The ticket of the position that the order opened or changed; 0 when there is none (yet)."""
        return self._known.position

    @property
    def client_order_id(self) -> str:
        """The id under which the order travels; the same id never reaches the market twice."""
        return self._known.client_order_id

    @property
    def home(self) -> str:
        """The account, in a form that tells it from all others of the client."""
        return self._known.home

    @property
    def state(self) -> State:
        """Where the order is now, as far as it is proven."""
        return self._known.state

    @property
    def retcode(self) -> int:
        """The newest return code of the trade server (TRADE_RETCODE_*); 0 when it gave none."""
        return self._known.retcode

    @property
    def message(self) -> str:
        """The newest text about the order."""
        return self._known.message

    @property
    def final(self) -> bool:
        """The order's life is over."""
        return self.state in FINAL

    @property
    def in_doubt(self) -> bool:
        """Nobody can prove yet whether the order reached the market."""
        return self.state is State.UNKNOWN

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # in another process there is no client to follow the order
