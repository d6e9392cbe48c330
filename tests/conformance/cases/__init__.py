"""The numbered cases, by subject."""

from __future__ import annotations

from tests.conformance.cases import brokers, market, money, pending, positions, rules, stops, terms
from tests.conformance.execution import CASES

__all__ = ["CASES", "brokers", "market", "money", "pending", "positions", "rules", "stops", "terms"]
