"""Orders at the market: price sides, profit, volumes, refusals. E-001 to E-019."""

from __future__ import annotations

from tests.conformance.execution import case, send

PRINCIPLES = "MetaTrader 5 help, Trading Principles"
REQUEST = "MQL5 docs, MqlTradeRequest"
PIPELINE = "MetaTrader 5 server API, Request Processing on the Server"

case(
    "E-001",
    "A buy opens at the ask and closes at the bid.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.10100/1.10110",
    do={0: [send("a", "buy", 1.0)], 1: [send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 1.00 @1.10100 +90.00
    """,
    end="no position; balance 10090.00; margin 0.00",
)

case(
    "E-002",
    "A sell opens at the bid and closes at the ask.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.10100/1.10110",
    do={0: [send("a", "sell", 1.0)], 1: [send("b", "buy", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a sell in 1.00 @1.10000
        1 > b ok
        1 b FILLED 10009
        1 b buy out 1.00 @1.10110 -110.00
    """,
    end="no position; balance 9890.00",
)
