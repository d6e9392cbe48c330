"""The numbered cases, by subject."""

from __future__ import annotations

from tests.conformance.cases import market, money, pending, positions, rules, stops, terms
from tests.conformance.execution import CASES

__all__ = ["CASES", "market", "money", "pending", "positions", "rules", "stops", "terms"]
