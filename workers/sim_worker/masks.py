"""MT5's masks for names of symbols. Pure."""

from __future__ import annotations


def in_group(symbol: str, group: str) -> bool:
    """MT5's masks: comma separated, `*` stands for anything, `!` excludes; they apply in the order they are written in.

    Source: MQL5 docs, symbols_get: "conditions for inclusion should be specified first".
    """
    chosen = False
    for mask in (part.strip() for part in group.split(",")):
        excludes = mask.startswith("!")
        if excludes is chosen and matches(symbol, mask.removeprefix("!")):
            chosen = not excludes
    return chosen


def matches(symbol: str, mask: str) -> bool:
    """One mask. `*` is the only sign with a meaning; a mask is another's text, so nothing is compiled or cached."""
    first, *middle = mask.split("*")
    if not middle:
        return symbol == mask
    last = middle.pop()
    if len(symbol) < len(first) + len(last) or not (symbol.startswith(first) and symbol.endswith(last)):
        return False
    at, end = len(first), len(symbol) - len(last)
    for part in middle:
        found = symbol.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
