"""What can go wrong, in two branches: the caller's fault, or the other side's.

The docstring of an error is its default message, so no text is written twice.
"""


class MasError(Exception):
    """Something went wrong in the order router."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class CallerError(MasError, ValueError):
    """The call was wrong: a field, a type, a range or an order of calls."""


class InvalidField(CallerError):
    """A field of the given parameters is not allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"{field}={shown(value)} is not allowed: {allowed}")


class Closed(CallerError):
    """The client is closed."""


class RemoteError(MasError):
    """The other side answered that it cannot do this."""


class LoginRefused(RemoteError):
    """A worker refused the credentials."""


class DataMissing(RemoteError):
    """There are no quotes for the range that was asked for."""


class SessionLost(RemoteError):
    """The worker that held the simulated account is gone, and the account with it."""


class Busy(RemoteError):
    """Every worker that could take this is at its limit."""


class TransportError(MasError):
    """The message broker could not be used."""


class NotConnected(TransportError):
    """There is no connection to the message broker."""


class TopologyError(TransportError):
    """The message broker refused a declaration."""


class DecodeError(MasError, ValueError):
    """The bytes are not a message of this protocol."""


def shown(value: object) -> str:
    """A value for a message to people: short, whatever it is and even if its own repr fails."""
    try:
        text = repr(value)
    except Exception:  # a stranger's __repr__, or an int with more digits than Python prints
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."
