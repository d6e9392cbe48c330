"""The exchanges of the in-process broker: which queues get a message. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from mas_router.errors import TopologyError
from mas_router.topology import Binding, Exchange

KINDS = ("topic", "headers", "fanout")

# Keys carry session and order names, so a cache of routes must not grow with them.
_MAX_CACHED = 4096


class MemoryExchange:
    """An exchange and its bindings. Headers are matched anew each time, keys once per change of the bindings."""

    def __init__(self, declaration: Exchange) -> None:
        if declaration.kind not in KINDS:
            raise TopologyError(
                f"exchange {declaration.name!r}: kind={declaration.kind!r} is not allowed: {', '.join(KINDS)}"
            )
        self.declaration = declaration
        alternate = declaration.arguments.get("alternate-exchange")
        self.alternate = alternate if isinstance(alternate, str) else None
        self._bindings: list[Binding] = []
        self._routes: dict[str, tuple[str, ...]] = {}

    def bind(self, binding: Binding) -> None:
        if binding not in self._bindings:
            self._bindings.append(binding)
            self._routes.clear()

    def unbind(self, binding: Binding) -> None:
        self._keep([kept for kept in self._bindings if kept != binding])

    def unbind_queue(self, queue: str) -> None:
        self._keep([kept for kept in self._bindings if kept.queue != queue])

    def route(self, key: str, headers: Mapping[str, object]) -> tuple[str, ...]:
        """The names of the queues for a message, each once, in order of binding."""
        if self.declaration.kind == "headers":
            return _names(binding for binding in self._bindings if headers_match(binding.arguments, headers))
        found = self._routes.get(key)
        if found is None:
            if len(self._routes) >= _MAX_CACHED:
                self._routes.clear()
            found = self._routes[key] = self._route_key(key)
        return found

    def _route_key(self, key: str) -> tuple[str, ...]:
        if self.declaration.kind == "fanout":
            return _names(self._bindings)
        words = _words(key)
        return _names(binding for binding in self._bindings if _match(_words(binding.key), words))

    def _keep(self, bindings: list[Binding]) -> None:
        if len(bindings) < len(self._bindings):
            self._bindings = bindings
            self._routes.clear()


def topic_match(pattern: str, key: str) -> bool:
    """Whether a routing key fits a topic pattern: `*` is one word, `#` any number of words, also none."""
    return _match(_words(pattern), _words(key))


def headers_match(arguments: Mapping[str, object], headers: Mapping[str, object]) -> bool:
    """Whether headers fit a binding: all its arguments or any (`x-match`); those named x-... are not compared."""
    wanted = [(name, value) for name, value in arguments.items() if not name.startswith("x-")]
    fits = (name in headers and headers[name] == value for name, value in wanted)
    return any(fits) if arguments.get("x-match") == "any" else all(fits)


@lru_cache(maxsize=_MAX_CACHED)
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _match(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Greedy with one step back to the last `#`: linear in practice, never exponential."""
    at = word = 0
    hash_at, hash_word = -1, 0
    while word < len(words):
        if at < len(pattern) and pattern[at] == "#":
            hash_at, hash_word = at, word
            at += 1
        elif at < len(pattern) and pattern[at] in ("*", words[word]):
            at, word = at + 1, word + 1
        elif hash_at >= 0:
            hash_word += 1
            at, word = hash_at + 1, hash_word
        else:
            return False
    return all(part == "#" for part in pattern[at:])


def _names(bindings: Iterable[Binding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(binding.queue for binding in bindings))
