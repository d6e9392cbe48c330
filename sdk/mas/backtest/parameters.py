"""What of a strategy can be set from outside: its class attributes, annotated fields and `__init__` parameters. Pure.

Private names (`_x`), methods and properties are the strategy's own. A value that is given as text is read as the type
of the annotation says, else the type of the default.
"""

from __future__ import annotations

import difflib
import inspect
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from mas_router.errors import CallerError, InvalidField
from mas_router.messages import Scalar

NOT_GIVEN: Final = object()
LONGEST: Final = 200
#: In the order in which a text is tried as each of them.
KINDS: Final = (types.NoneType, bool, int, float, str)
_WORDS: Final[Mapping[type, str]] = {
    types.NoneType: "none",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: f"a text of up to {LONGEST} printable characters",
}
_NEVER: Final = (types.FunctionType, staticmethod, classmethod, property, type, types.ModuleType)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing to set. `kinds` is empty when no text can stand for its value."""

    name: str
    kinds: tuple[type, ...]
    default: object = NOT_GIVEN

    @property
    def required(self) -> bool:
        return self.default is NOT_GIVEN

    @property
    def allowed(self) -> str:
        words = " or ".join(_WORDS[kind] for kind in self.kinds)
        return words if self.required else f"{words} (default {self.default!r})"

    def read(self, option: str, text: str) -> Scalar:
        """The value that a text stands for. Raises InvalidField."""
        if not self.kinds:
            own = type(self.default).__name__
            raise InvalidField(
                f"{option} {self.name}", text, f"only the strategy itself can set it: it is of type {own}"
            )
        for kind in self.kinds:
            try:
                return _READERS[kind](text.strip())
            except ValueError:
                continue
        raise InvalidField(f"{option} {self.name}", text, self.allowed)

    def check(self, value: Scalar) -> None:
        """Raises InvalidField for a value of another type; an int is also a float."""
        exact = type(value) in self.kinds or (type(value) is int and float in self.kinds)
        if not exact:
            raise InvalidField(self.name, value, self.allowed)


def parameters(strategy: type, base: type) -> dict[str, Parameter]:
    """Everything that can be set on this subclass of `base`, the settings of `base` itself left out."""
    found: dict[str, Parameter] = {}
    for owner in reversed(strategy.__mro__[: strategy.__mro__.index(base)]):
        for name, default, hint in _attributes(owner):
            old = found.get(name)
            default = old.default if old is not None and default is NOT_GIVEN else default
            kinds = _kinds(hint, default) or (old.kinds if old is not None else ())
            found[name] = Parameter(name, kinds, default)
    for name, default, hint in _arguments(strategy, base):
        found[name] = Parameter(name, _kinds(hint, default), default)
    return found


def init_names(strategy: type, base: type) -> frozenset[str]:
    """The parameters that are handed to `__init__`."""
    return frozenset(name for name, _, _ in _arguments(strategy, base))


def named(option: str, name: str, known: Mapping[str, Parameter]) -> Parameter:
    """The parameter of this name. Raises CallerError that lists what there is."""
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    there = ", ".join(map(_described, known.values())) or "none (class attributes are parameters)"
    raise CallerError(f"{option} {name}: the strategy has no such parameter{hint}; there are: {there}")


def require_all(known: Mapping[str, Parameter], given: Iterable[str]) -> None:
    """Raises CallerError when one without a default is not given."""
    names = set(given)
    missing = [name for name, one in known.items() if one.required and name not in names]
    if missing:
        raise CallerError(f"no value and no default for {', '.join(missing)}: give --set {missing[0]}=VALUE")


def _described(one: Parameter) -> str:
    return one.name if one.required else f"{one.name}={one.default!r}"


def _attributes(owner: type) -> Iterator[tuple[str, object, object]]:
    """Names, defaults and type hints in the order of the class body."""
    hints, written = _hints(owner), inspect.get_annotations(owner)
    for name in dict.fromkeys([*written, *vars(owner)]):
        default = vars(owner).get(name, NOT_GIVEN)
        if not name.startswith("_") and not isinstance(default, _NEVER) and not _is_descriptor(default):
            yield name, default, hints.get(name)


def _is_descriptor(value: object) -> bool:
    """Slots and the like say how a name is stored, not what it is."""
    return inspect.isdatadescriptor(value) or inspect.isroutine(value)


def _arguments(strategy: type, base: type) -> Iterator[tuple[str, object, object]]:
    if strategy.__init__ is base.__init__:  # type: ignore[misc]
        return
    hints = _hints(strategy.__init__)  # type: ignore[misc]
    for name, item in list(inspect.signature(strategy.__init__).parameters.items())[1:]:  # type: ignore[misc]
        if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY):
            yield name, NOT_GIVEN if item.default is item.empty else item.default, hints.get(name)


def _hints(owner: Any) -> dict[str, Any]:
    try:
        return get_type_hints(owner)
    except Exception:  # an annotation may be any text, and the default has a type, too
        return {}


def _kinds(hint: object, default: object) -> tuple[type, ...]:
    """The types that a value may have, as far as a text can stand for them."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = tuple(kind for kind in KINDS if kind in members)
    if kinds:
        return kinds
    return (type(default),) if type(default) in KINDS and default is not None else ()


def _none(text: str) -> None:
    if text.lower() != "none":
        raise ValueError


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def _whole(text: str) -> int:
    value = int(text)
    if abs(value) >= 2**63:
        raise ValueError
    return value


def _text(text: str) -> str:
    if not text.isprintable() or len(text) > LONGEST:
        raise ValueError
    return text


_READERS: Final[Mapping[type, Callable[[str], Scalar]]] = {
    types.NoneType: _none,
    bool: _flag,
    int: _whole,
    float: _finite,
    str: _text,
}
