"""Netting and hedging: how positions grow, shrink, reverse and close each other. E-100 to E-124."""

from __future__ import annotations

from tests.conformance.execution import case, close_by, send, sltp

PRINCIPLES = "MetaTrader 5 help, Trading Principles"
POSITIONS = "MQL5 docs, Position Properties"
HISTORY = "MQL5 Programming for Traders, Reading deals from history"
CLOSE_BY = "MQL5 docs, TRADE_ACTION_CLOSE_BY"
NETTING = 'margin_mode = "netting"'
HERE = "1.10000/1.10010"

case(
    "E-100",
    "On a netting account deals of one symbol make one position: it adds, reduces and reverses, and keeps its id.",
    section="2.12",
    source=HISTORY,
    setting="margin_mode",
    quotes="1.10001/1.10011 1.10000/1.10009 1.10018/1.10028 1.10007/1.10017",
    account=NETTING,
    do={
        0: [send("a", "buy", 0.01)],
        1: [send("b", "buy", 0.01)],
        2: [send("c", "sell", 0.03)],
        3: [send("d", "buy", 0.01)],
    },
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.01 @1.10011
        1 > b ok
        1 b FILLED 10009
        1 b buy in 0.01 @1.10009
        2 > c ok
        2 c FILLED 10009
        2 c sell inout 0.03 @1.10018 +0.16
        3 > d ok
        3 d FILLED 10009
        3 d buy out 0.01 @1.10017 +0.01
    """,
    end="no position; balance 10000.17",
)

case(
    "E-101",
    "The open price of a netting position is the average by volume, at three digits more than the symbol has.",
    section="2.12",
    source=POSITIONS,
    setting="margin_mode",
    quotes="1.10040/1.10050 1.10042/1.10052",
    account=NETTING,
    do={0: [send("a", "buy", 0.1)], 1: [send("b", "buy", 0.2)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10050
        1 > b ok
        1 b FILLED 10009
        1 b buy in 0.20 @1.10052
    """,
    end="position a buy 0.30 @1.10051333",
)

case(
    "E-102",
    "A smaller opposite order reduces a netting position, which keeps its price and levels.",
    section="2.12",
    source=PRINCIPLES,
    setting="margin_mode",
    quotes="1.10000/1.10010 1.10110/1.10120",
    account=NETTING,
    do={0: [send("a", "buy", 1.0, sl=1.09, tp=1.12)], 1: [send("b", "sell", 0.4)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 0.40 @1.10110 +40.00
    """,
    end="position a buy 0.60 @1.10010 sl 1.09000 tp 1.12000; balance 10040.00",
)

case(
    "E-103",
    "A larger opposite order reverses a netting position at its own price, with profit on the closed part only.",
    section="2.12",
    source=PRINCIPLES,
    setting="margin_mode",
    quotes="1.10000/1.10010 1.10110/1.10120",
    account=NETTING,
    do={0: [send("a", "buy", 0.4, sl=1.09)], 1: [send("b", "sell", 1.0, tp=1.05)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.40 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell inout 1.00 @1.10110 +40.00
    """,
    end="position b sell 0.60 @1.10110 tp 1.05000; balance 10040.00",
)

case(
    "E-104",
    "What adds to a netting position replaces its stop levels; without levels it deletes them.",
    section="2.12",
    source=PRINCIPLES,
    setting="margin_mode",
    quotes="1.10000/1.10010 1.10000/1.10010",
    account=NETTING,
    do={0: [send("a", "buy", 0.1, sl=1.09, tp=1.12)], 1: [send("b", "buy", 0.1)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b buy in 0.10 @1.10010
    """,
    end="position a buy 0.20 @1.10010",
)

case(
    "E-105",
    "A pending order that triggers on a netting account nets, too.",
    section="2.12",
    source=PRINCIPLES,
    setting="margin_mode",
    quotes="1.10000/1.10010 1.10200/1.10210",
    account=NETTING,
    do={0: [send("a", "buy", 1.0), send("b", "sell_limit", 1.0, price=1.10200)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        0 b ACCEPTED 10009
        1 b FILLED 10009
        1 b sell out 1.00 @1.10200 +190.00
    """,
    end="no position; no order; balance 10190.00",
)

case(
    "E-106",
    "A netting account has no two positions that could close each other.",
    section="2.14",
    source=CLOSE_BY,
    setting="margin_mode",
    quotes=HERE,
    account=NETTING,
    do={0: [send("a", "buy", 1.0), close_by("b", "a", 7)]},
    hear="""
        0 > a ok
        0 > b 10035
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        0 b REJECTED 10035
    """,
)

case(
    "E-107",
    "Without free margin a netting position can still be reduced, but not reversed.",
    section="4.4",
    source="MetaTrader 5 help, Margin Calculation: Forex, Futures",
    setting="margin_mode",
    quotes="1.10000/1.10010 1.09600/1.09610",
    account=NETTING + "\nstop_out = 10.0",
    do={0: [send("a", "buy", 9.0)], 1: [send("b", "sell", 18.5), send("c", "sell", 1.0)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 9.00 @1.10010
        1 > b 10019
        1 > c ok
        1 b REJECTED 10019
        1 c FILLED 10009
        1 c sell out 1.00 @1.09600 -410.00
    """,
    end="position a buy 8.00 @1.10010",
)

case(
    "E-110",
    "A partial close on a hedging account keeps the ticket, the price and the levels of the rest.",
    section="2.12",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.10110/1.10120 1.08990/1.09000",
    do={0: [send("a", "buy", 1.0, sl=1.09)], 1: [send("b", "sell", 0.4, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 0.40 @1.10110 +40.00
        2 a sell out 0.60 @1.08990 sl -612.00
    """,
    end="no position; balance 9428.00",
)

case(
    "E-111",
    "Two opposite positions close each other, each at the other's open price; the first has all of the result.",
    section="2.14",
    source=HISTORY,
    quotes="1.08334/1.08344 1.08340/1.08350",
    do={0: [send("a", "buy", 0.01)], 1: [send("b", "sell", 0.01), close_by("c", "a", "b")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.01 @1.08344
        1 > b ok
        1 > c ok
        1 b FILLED 10009
        1 b sell in 0.01 @1.08340
        1 c FILLED 10009
        1 c sell out_by 0.01 @1.08340 -0.04
        1 c buy out_by 0.01 @1.08344 +0.00
    """,
    end="no position; balance 9999.96",
)

case(
    "E-112",
    "The larger of two positions that close each other stays, with its ticket and price, and closes as any other.",
    section="2.14",
    source="MQL5 Programming for Traders, Closing opposite positions",
    quotes="1.10937/1.10947 1.10964/1.10974 1.10970/1.10980",
    do={
        0: [send("a", "buy", 0.01)],
        1: [send("b", "sell", 0.02), close_by("c", "a", "b")],
        2: [send("d", "buy", 0.01, position="b")],
    },
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.01 @1.10947
        1 > b ok
        1 > c ok
        1 b FILLED 10009
        1 b sell in 0.02 @1.10964
        1 c FILLED 10009
        1 c sell out_by 0.01 @1.10964 +0.17
        1 c buy out_by 0.01 @1.10947 +0.00
        2 > d ok
        2 d FILLED 10009
        2 d buy out 0.01 @1.10980 -0.16
    """,
    end="no position; balance 10000.01",
)

case(
    "E-113",
    "Positions of the same direction do not close each other.",
    section="2.14",
    source=CLOSE_BY,
    quotes=HERE,
    do={0: [send("a", "buy", 0.1), send("b", "buy", 0.1), close_by("c", "a", "b")]},
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10013
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        0 c REJECTED 10013
    """,
)

case(
    "E-114",
    "A symbol may not take closing by an opposite position.",
    section="2.11",
    source="MQL5 docs, Symbol Properties",
    setting="order_mode",
    quotes=HERE,
    contract='order_mode = ["market"]',
    do={0: [send("a", "buy", 0.1), send("b", "sell", 0.1), close_by("c", "a", "b")]},
    hear="""
        0 > a ok
        0 > b ok
        0 > c 10035
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b sell in 0.10 @1.10000
        0 c REJECTED 10035
    """,
)

case(
    "E-115",
    "Each hedging position has its own stop loss: one closes, the other stays.",
    section="2.12",
    source=PRINCIPLES,
    quotes="1.10000/1.10010 1.09500/1.09510",
    do={0: [send("a", "buy", 0.1, sl=1.09600), send("b", "buy", 0.1), sltp("b", sl=1.09400)]},
    hear="""
        0 > a ok
        0 > b ok
        0 > modify b True
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b FILLED 10009
        0 b buy in 0.10 @1.10010
        0 b sltp FILLED 10009
        1 a sell out 0.10 @1.09500 sl -51.00
    """,
    end="position b buy 0.10 @1.10010 sl 1.09400",
)

case(
    "E-116",
    "Positions of several symbols share one margin, and each follows its own quotes.",
    section="4.6",
    source="MetaTrader 5 help, Margin Calculation: Forex, Futures",
    quotes="1.10000/1.10010 1.10000/1.10010",
    also={"GBPUSD": "1.27000/1.27020 1.27100/1.27120"},
    do={0: [send("a", "buy", 1.0), send("b", "sell", 1.0, symbol="GBPUSD", sl=1.27110)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        0 b FILLED 10009
        0 b sell in 1.00 @1.27000
        1 b buy out 1.00 @1.27120 sl -120.00
    """,
    end="position a buy 1.00 @1.10010; margin 1100.10; balance 9880.00",
)

case(
    "E-117",
    "The stop-out closes the position with the largest loss of all symbols, whichever symbol's quote brings it about.",
    section="4.9",
    source="MetaTrader 5 administrator help, Groups: margin call and stop out",
    setting="stop_out",
    quotes="1.10000/1.10010 1.09600/1.09610",
    also={"GBPUSD": "1.27000/1.27020 1.26000/1.26020"},
    do={0: [send("a", "buy", 4.0), send("b", "buy", 4.0, symbol="GBPUSD")]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 4.00 @1.10010
        0 b FILLED 10009
        0 b buy in 4.00 @1.27020
        1 b sell out 4.00 @1.26000 so -4080.00
    """,
    # Equity 4280 of margin 9481.20 is 45 %; afterwards it is 4280 of 4400.40.
    end="position a buy 4.00 @1.10010; balance 5920.00; equity 4280.00",
)

case(
    "E-118",
    "A pending order in another symbol waits for that symbol's quotes.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
    quotes="1.10000/1.10010 1.26000/1.26010 1.26000/1.26010",
    also={"GBPUSD": "1.27000/1.27020 1.27000/1.27020 1.26980/1.27000"},
    do={0: [send("a", "buy_limit", 0.1, price=1.27000, symbol="GBPUSD")]},
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        2 a FILLED 10009
        2 a buy in 0.10 @1.27000
    """,
)
