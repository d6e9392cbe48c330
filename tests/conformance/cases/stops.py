"""Stop loss and take profit: sides, gaps, distances, changes. E-050 to E-069."""

from __future__ import annotations

from tests.conformance.execution import case, send, sltp

PRINCIPLES = "MetaTrader 5 help, Trading Principles"
CHECKS = "MQL5 article 2555, The checks a trading robot must pass before publication in the Market"
SLTP = "MQL5 docs, TRADE_ACTION_SLTP"
HERE = "1.10000/1.10010"

case(
    "E-050",
    "The stop loss of a long closes it at the bid, through a gap at the first price behind it.",
    section="2.7",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09501/1.09511 1.09400/1.09410",
    do={0: [send("a", "buy", 1.0, sl=1.09500)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        2 a sell out 1.00 @1.09400 sl -610.00
    """,
    end="""
        no position; balance 9390.00
        history a buy FILLED @0.00000 current 1.10010
        history a sell FILLED @1.09500 current 1.09400 [sl 1.09500]
    """,
)

case(
    "E-051",
    "The stop loss of a short watches the ask: a spread that widens is enough.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.10000/1.10099 1.10000/1.10100",
    do={0: [send("a", "sell", 1.0, sl=1.10100)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a sell in 1.00 @1.10000
        2 a buy out 1.00 @1.10100 sl -100.00
    """,
    end="balance 9900.00",
)

case(
    "E-052",
    "The take profit of a long watches the bid, and in a gap it gets the better price.",
    section="2.7",
    source="MQL5 Programming for Traders, Modifying a pending order",
    quotes="1.10000/1.10010 1.10090/1.10110 1.10120/1.10130",
    do={0: [send("a", "buy", 1.0, tp=1.10100)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        2 a sell out 1.00 @1.10120 tp +110.00
    """,
    end="""
        balance 10110.00
        history a buy FILLED @0.00000 current 1.10010
        history a sell FILLED @1.10100 current 1.10120 [tp 1.10100]
    """,
)

case(
    "E-053",
    "The take profit of a short watches the ask.",
    section="2.3",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09895/1.09905 1.09890/1.09900",
    do={0: [send("a", "sell", 1.0, tp=1.09900)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a sell in 1.00 @1.10000
        2 a buy out 1.00 @1.09900 tp +100.00
    """,
)

case(
    "E-054",
    "Stop levels are judged by the market, not by the open price: a stop may lie in the profit.",
    section="2.3",
    source=CHECKS,
    quotes="1.10000/1.10010 1.10500/1.10510 1.10190/1.10200",
    do={0: [send("a", "buy", 1.0)], 1: [sltp("a", sl=1.10200)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > modify a True
        1 a sltp FILLED 10009
        2 a sell out 1.00 @1.10190 sl +180.00
    """,
)

case(
    "E-055",
    "A stop level on the wrong side of the market is refused, and the old ones stay.",
    section="2.3",
    source=CHECKS,
    quotes=HERE,
    do={0: [send("a", "buy", 1.0, sl=1.09), sltp("a", sl=1.10001), sltp("a", tp=1.09999)]},
    hear="""
        0 > a ok
        0 > modify a False
        0 > modify a False
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        0 a sltp FILLED 10016
        0 a sltp FILLED 10016
    """,
    end="position a buy 1.00 @1.10010 sl 1.09000",
)

case(
    "E-056",
    "A stop loss 29 points from the closing price is too near for a stops level of 30; 30 points are enough.",
    section="2.4",
    source=CHECKS,
    setting="stops_level",
    quotes=HERE,
    contract="stops_level = 30",
    do={0: [send("a", "buy", 0.1, sl=1.09971), send("b", "buy", 0.1, sl=1.09970)]},
    hear="""
        0 > a 10016
        0 > b ok
        0 a REJECTED 10016
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
    """,
)

case(
    "E-057",
    "A take profit of a short is measured from the ask.",
    section="2.4",
    source=CHECKS,
    setting="stops_level",
    quotes=HERE,
    contract="stops_level = 30",
    do={0: [send("a", "sell", 0.1, tp=1.09981), send("b", "sell", 0.1, tp=1.09980)]},
    hear="""
        0 > a 10016
        0 > b ok
        0 a REJECTED 10016
        0 b FILLED 10009
        0 b sell in 0.10 @1.10000
    """,
)

case(
    "E-058",
    "The levels of a pending order are measured from its own price.",
    section="2.4",
    source=CHECKS,
    setting="stops_level",
    quotes=HERE,
    contract="stops_level = 30",
    do={
        0: [
            send("a", "buy_limit", 0.1, price=1.09, sl=1.08971),
            send("b", "buy_limit", 0.1, price=1.09, sl=1.08970, tp=1.09030),
            send("c", "buy_limit", 0.1, price=1.09, tp=1.09029),
        ]
    },
    hear="""
        0 > a 10016
        0 > b ok
        0 > c 10016
        0 a REJECTED 10016
        0 b ACCEPTED 10009
        0 c REJECTED 10016
    """,
    end="order b buy_limit 0.10 @1.09000 sl 1.08970 tp 1.09030",
)

case(
    "E-059",
    "The levels of a stop-limit order are measured from the price at which it opens.",
    section="2.3",
    source="MQL5 Programming for Traders, Setting a pending order",
    quotes=HERE,
    do={
        0: [
            send("a", "buy_stop_limit", 0.1, price=1.12, stoplimit=1.11, tp=1.11000),
            send("b", "buy_stop_limit", 0.1, price=1.12, stoplimit=1.11, sl=1.10990, tp=1.11500),
        ]
    },
    hear="""
        0 > a DENIED
        0 > b ok
        0 ? DENIED 0
        0 b ACCEPTED 10009
    """,
    end="order b buy_stop_limit 0.10 @1.12000 stoplimit 1.11000 sl 1.10990 tp 1.11500",
)

case(
    "E-060",
    "Levels that are there already are no change.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
    quotes=HERE,
    do={0: [send("a", "buy", 0.1, sl=1.09), sltp("a", sl=1.09)]},
    hear="""
        0 > a ok
        0 > modify a True
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 a sltp FILLED 10025
    """,
)

case(
    "E-061",
    "The levels of a position that is not open cannot be changed.",
    section="3",
    source="MQL5 docs, Trade Server Return Codes",
    quotes=HERE,
    do={0: [send("a", "buy", 0.1), send("b", "sell", 0.1, position="a"), sltp("a", sl=1.09)]},
    hear="""
        0 > a ok
        0 > b ok
        0 > modify a False
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b sell out 0.10 @1.10000 -1.00
        0 a sltp REJECTED 10036
    """,
)

case(
    "E-062",
    "A level that a change does not name stays; 0 removes it.",
    section="1.8",
    source=SLTP,
    quotes=HERE,
    do={0: [send("a", "buy", 0.1, sl=1.09, tp=1.12), sltp("a", sl=1.095), sltp("a", tp=0)]},
    hear="""
        0 > a ok
        0 > modify a True
        0 > modify a True
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 a sltp FILLED 10009
        0 a sltp FILLED 10009
    """,
    end="position a buy 0.10 @1.10010 sl 1.09500",
)

case(
    "E-063",
    "Within the freeze level of its stop loss a position can be neither changed nor closed.",
    section="2.4",
    source="MQL5 docs, Symbol Properties",
    setting="freeze_level",
    quotes="1.10000/1.10010 1.09930/1.09940 1.09931/1.09941",
    contract="freeze_level = 30",
    do={
        0: [send("a", "buy", 0.1, sl=1.09900)],
        1: [sltp("a", sl=1.09), send("b", "sell", 0.1, position="a")],
        2: [send("c", "sell", 0.1, position="a")],
    },
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > modify a False
        1 > b 10029
        1 a sltp FILLED 10029
        1 b REJECTED 10029
        2 > c ok
        2 c FILLED 10009
        2 c sell out 0.10 @1.09931 -7.90
    """,
)

case(
    "E-064",
    "The levels of a pending order count from the tick after the one that fills it.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
    quotes="1.10000/1.10010 1.10800/1.10810 1.10800/1.10810",
    do={0: [send("a", "buy_stop", 1.0, price=1.10500, tp=1.10700)]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a FILLED 10009
        1 a buy in 1.00 @1.10810
        2 a sell out 1.00 @1.10800 tp -10.00
    """,
)

case(
    "E-065",
    "A stop loss comes before pending orders of the same tick.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
    quotes="1.10000/1.10010 1.09400/1.09410",
    do={0: [send("a", "buy_limit", 1.0, price=1.09800), send("b", "buy", 1.0, sl=1.09500)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a ACCEPTED 10009
        0 b FILLED 10009
        0 b buy in 1.00 @1.10010
        1 b sell out 1.00 @1.09400 sl -610.00
        1 a FILLED 10009
        1 a buy in 1.00 @1.09800
    """,
    end="position a buy 1.00 @1.09800; balance 9390.00",
)

case(
    "E-066",
    "A removed stop loss does not close.",
    section="1.8",
    source=SLTP,
    quotes="1.10000/1.10010 1.09000/1.09010",
    do={0: [send("a", "buy", 0.1, sl=1.09500), sltp("a", sl=0)]},
    hear="""
        0 > a ok
        0 > modify a True
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 a sltp FILLED 10009
    """,
    end="position a buy 0.10 @1.10010; equity 9899.00",
)
