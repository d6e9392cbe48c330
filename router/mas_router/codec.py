"""Bytes to messages and back. Pure.

Everything that comes from outside passes `decode`: a length limit, then msgpack with limits that keep a small body from
becoming a large object, then the strict models. Whatever is wrong ends in one DecodeError.
"""

from __future__ import annotations

from typing import Any

import msgpack
from pydantic import BaseModel, TypeAdapter, ValidationError

from mas_router.errors import DecodeError
from mas_router.messages import Message
from mas_router.transport import MAX_BODY

CONTENT_TYPE = "application/x-msgpack"

_ADAPTER: TypeAdapter[Message] = TypeAdapter(Message)
_LIMITS = {
    "max_array_len": 1024,
    "max_map_len": 128,
    "max_str_len": 2048,
    "max_bin_len": MAX_BODY,
    "max_ext_len": 0,
}


def _nested(value: object) -> dict[str, Any]:
    if isinstance(value, BaseModel):
        return value.__dict__
    raise TypeError(f"{type(value).__name__} does not travel")


def encode(message: BaseModel) -> bytes:
    """The bytes of a message. The models' fields are plain data, so a model travels as its `__dict__`."""
    body: bytes = msgpack.packb(message.__dict__, default=_nested)
    if len(body) > MAX_BODY:
        raise ValueError(f"a message of {len(body)} bytes is longer than {MAX_BODY}")
    return body


def decode(body: bytes) -> Message:
    """The message in these bytes, or DecodeError."""
    if len(body) > MAX_BODY:
        raise DecodeError(f"{len(body)} bytes are more than the {MAX_BODY} that a message may have")
    try:
        return _ADAPTER.validate_python(msgpack.unpackb(body, use_list=False, **_LIMITS))
    except ValidationError as error:
        # The values are the sender's: they are not repeated, only where they are wrong.
        where = {".".join(map(str, e["loc"][:4])) or "message" for e in error.errors(include_input=False)}
        raise DecodeError(f"not a message of this protocol: {', '.join(sorted(where)[:8])}") from None
    except Exception as error:  # msgpack raises five unrelated families on hostile bytes
        raise DecodeError(f"not msgpack: {type(error).__name__}") from None
