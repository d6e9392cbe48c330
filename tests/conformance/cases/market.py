"""Orders at the market: price sides, volumes, trade modes, and which refusal comes first. E-001 to E-024."""

from __future__ import annotations

from mas import mt5
from tests.conformance.execution import case, send

PRINCIPLES = "MetaTrader 5 help, Trading Principles"
REQUEST = "MQL5 docs, MqlTradeRequest"
SYMBOL = "MQL5 docs, Symbol Properties"
PIPELINE = "MetaTrader 5 server API, Request Processing on the Server"
RETCODES = "MQL5 docs, Trade Server Return Codes"
HERE = "1.10000/1.10010"

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
    end="no position; balance 10090.00; margin 0.00; margin_level 0.00",
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

case(
    "E-003",
    "In market execution the price of a market order does not count, and neither does its deviation.",
    section="2.6",
    source=REQUEST,
    quotes=HERE,
    do={0: [send("a", "buy", 0.1, price=1.5, deviation=0)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
    """,
)

case(
    "E-004",
    "A volume that is no multiple of the step is refused.",
    section="2.10",
    source=SYMBOL,
    setting="volume_step",
    quotes=HERE,
    do={0: [send("a", "buy", 0.015)]},
    hear="""
        0 > a 10014
        0 a REJECTED 10014
    """,
    end="no position; balance 10000.00",
)

case(
    "E-005",
    "A volume below the minimum is refused; the minimum itself is not.",
    section="2.10",
    source=SYMBOL,
    setting="volume_min",
    quotes=HERE,
    contract="volume_min = 0.05",
    do={0: [send("a", "buy", 0.04), send("b", "buy", 0.05)]},
    hear="""
        0 > a 10014
        0 > b ok
        0 a REJECTED 10014
        0 b FILLED 10009
        0 b buy in 0.05 @1.10010
    """,
)

case(
    "E-006",
    "A volume above the maximum is refused; the maximum itself is not.",
    section="2.10",
    source=SYMBOL,
    setting="volume_max",
    quotes=HERE,
    contract="volume_max = 2.0",
    do={0: [send("a", "buy", 2.01), send("b", "buy", 2.0)]},
    hear="""
        0 > a 10014
        0 > b ok
        0 a REJECTED 10014
        0 b FILLED 10009
        0 b buy in 2.00 @1.10010
    """,
)

case(
    "E-007",
    "The minimum does not apply to closing.",
    section="2.10",
    source=SYMBOL,
    setting="volume_min",
    quotes=HERE,
    contract="volume_min = 0.1",
    do={0: [send("a", "buy", 0.15), send("b", "sell", 0.1, position="a"), send("c", "sell", 0.05, position="a")]},
    hear="""
        0 > a ok
        0 > b ok
        0 > c ok
        0 a FILLED 10009
        0 a buy in 0.15 @1.10010
        0 b FILLED 10009
        0 b sell out 0.10 @1.10000 -1.00
        0 c FILLED 10009
        0 c sell out 0.05 @1.10000 -0.50
    """,
    end="no position; balance 9998.50",
)

case(
    "E-008",
    "A close of more than the position has is refused.",
    section="2.10",
    source=RETCODES,
    quotes=HERE,
    do={0: [send("a", "buy", 0.1), send("b", "sell", 0.11, position="a")]},
    hear="""
        0 > a ok
        0 > b 10038
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b REJECTED 10038
    """,
    end="position a buy 0.10 @1.10010",
)

case(
    "E-009",
    "A close of a position that is not open is refused, also when it was open before.",
    section="3",
    source=RETCODES,
    quotes=HERE,
    do={
        0: [
            send("a", "sell", 0.1, position=999),
            send("b", "buy", 0.1),
            send("c", "sell", 0.1, position="b"),
            send("d", "sell", 0.1, position="b"),
        ]
    },
    hear="""
        0 > a 10036
        0 > b ok
        0 > c ok
        0 > d 10036
        0 a REJECTED 10036
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        0 c FILLED 10009
        0 c sell out 0.10 @1.10000 -1.00
        0 d REJECTED 10036
    """,
)

case(
    "E-010",
    "A close in the position's own direction is malformed.",
    section="3",
    source=RETCODES,
    quotes=HERE,
    do={0: [send("a", "buy", 0.1), send("b", "buy", 0.1, position="a")]},
    hear="""
        0 > a ok
        0 > b 10013
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b REJECTED 10013
    """,
    end="position a buy 0.10 @1.10010",
)

case(
    "E-011",
    "On a hedging account an opposite order without a ticket opens a second position.",
    section="2.12",
    source=PRINCIPLES,
    quotes=HERE,
    do={0: [send("a", "buy", 0.1), send("b", "sell", 0.1)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b sell in 0.10 @1.10000
    """,
    end="position a buy 0.10 @1.10010; position b sell 0.10 @1.10000",
)

case(
    "E-012",
    "An order whose margin is more than the equity is refused.",
    section="4.6",
    source="MetaTrader 5 help, Margin Calculation: Forex, Futures",
    quotes=HERE,
    do={0: [send("a", "buy", 9.1), send("b", "buy", 9.0)]},
    hear="""
        0 > a 10019
        0 > b ok
        0 a REJECTED 10019
        0 b FILLED 10009
        0 b buy in 9.00 @1.10010
    """,
    end="margin 9900.90; balance 10000.00; equity 9910.00; margin_level 100.09",
)

case(
    "E-013",
    "The volume limit counts one direction; the other one has a limit of its own.",
    section="2.10",
    source=SYMBOL,
    setting="volume_limit",
    quotes=HERE,
    contract="volume_limit = 1.0",
    do={0: [send("a", "buy", 1.0), send("b", "buy", 0.01), send("c", "sell", 1.0)]},
    hear="""
        0 > a ok
        0 > b 10034
        0 > c ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        0 b REJECTED 10034
        0 c FILLED 10009
        0 c sell in 1.00 @1.10000
    """,
)

case(
    "E-014",
    "A filling mode that is not allowed is refused before a wrong volume.",
    section="2.1",
    source=PIPELINE,
    quotes=HERE,
    do={0: [send("a", "buy", 1000.005, type_filling=mt5.ORDER_FILLING_RETURN)]},
    hear="""
        0 > a 10030
        0 a REJECTED 10030
    """,
)

case(
    "E-015",
    "A wrong volume is refused before wrong stops.",
    section="2.1",
    source=PIPELINE,
    quotes=HERE,
    do={0: [send("a", "buy", 1000.005, sl=1.2)]},
    hear="""
        0 > a 10014
        0 a REJECTED 10014
    """,
)

case(
    "E-016",
    "Wrong stops are refused before missing money.",
    section="2.1",
    source=PIPELINE,
    quotes=HERE,
    do={0: [send("a", "buy", 50.0, sl=1.2), send("b", "buy", 50.0, sl=1.0)]},
    hear="""
        0 > a 10016
        0 > b 10019
        0 a REJECTED 10016
        0 b REJECTED 10019
    """,
)

case(
    "E-017",
    "A type of order that the symbol does not take is refused.",
    section="2.11",
    source=SYMBOL,
    setting="order_mode",
    quotes=HERE,
    contract='order_mode = ["market", "sl"]',
    do={0: [send("a", "buy_limit", 0.1, price=1.05), send("b", "buy", 0.1, tp=1.2), send("c", "buy", 0.1, sl=1.0)]},
    hear="""
        0 > a 10035
        0 > b 10035
        0 > c ok
        0 a REJECTED 10035
        0 b REJECTED 10035
        0 c FILLED 10009
        0 c buy in 0.10 @1.10010
    """,
)

case(
    "E-018",
    "On a disabled symbol nothing can be done.",
    section="2.11",
    source=SYMBOL,
    setting="trade_mode",
    quotes=HERE,
    contract='trade_mode = "disabled"',
    do={0: [send("a", "buy", 0.1), send("b", "sell_limit", 0.1, price=1.2)]},
    hear="""
        0 > a 10017
        0 > b 10017
        0 a REJECTED 10017
        0 b REJECTED 10017
    """,
)

case(
    "E-019",
    "A long-only symbol can be bought, and sold only to close.",
    section="2.11",
    source=SYMBOL,
    setting="trade_mode",
    quotes=HERE,
    contract='trade_mode = "longonly"',
    do={0: [send("a", "sell", 0.1), send("b", "buy", 0.1), send("c", "sell", 0.1, position="b")]},
    hear="""
        0 > a 10042
        0 > b ok
        0 > c ok
        0 a REJECTED 10042
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        0 c FILLED 10009
        0 c sell out 0.10 @1.10000 -1.00
    """,
)

case(
    "E-020",
    "A short-only symbol can be sold, and bought only to close.",
    section="2.11",
    source=SYMBOL,
    setting="trade_mode",
    quotes=HERE,
    contract='trade_mode = "shortonly"',
    do={0: [send("a", "buy", 0.1), send("b", "sell", 0.1), send("c", "buy", 0.1, position="b")]},
    hear="""
        0 > a 10043
        0 > b ok
        0 > c ok
        0 a REJECTED 10043
        0 b FILLED 10009
        0 b sell in 0.10 @1.10000
        0 c FILLED 10009
        0 c buy out 0.10 @1.10010 -1.00
    """,
)

case(
    "E-021",
    "On a close-only symbol nothing opens, no pending order either.",
    section="2.11",
    source=SYMBOL,
    setting="trade_mode",
    quotes=HERE,
    contract='trade_mode = "closeonly"',
    do={0: [send("a", "buy", 0.1), send("b", "sell_limit", 0.1, price=1.2)]},
    hear="""
        0 > a 10044
        0 > b 10044
        0 a REJECTED 10044
        0 b REJECTED 10044
    """,
)

case(
    "E-022",
    "An account that may not trade is refused, and so is one on which programs may not.",
    section="2.11",
    source="MQL5 docs, Account Properties",
    setting="trade_expert",
    quotes=HERE,
    account="trade_expert = false",
    do={0: [send("a", "buy", 0.1)]},
    hear="""
        0 > a 10026
        0 a REJECTED 10026
    """,
)
