"""What brokers set: the volume of a quote, trading hours, slippage, closing order, hedging. E-160 to E-169."""

from __future__ import annotations

from tests.conformance.execution import cancel, case, modify, send, sltp

FILLING = "MQL5 docs, ENUM_ORDER_TYPE_FILLING"
RETCODES = "MQL5 docs, Trade Server Return Codes"
PRINCIPLES = "MetaTrader 5 help, Trading Principles"
FOK, IOC, RETURN = range(3)
HERE = "1.10000/1.10010"
THIN = 'execution = "exchange"\nliquidity = 0.3'

case(
    "E-160",
    "Of an IOC order that finds too little, the rest is cancelled.",
    section="2.5",
    source=FILLING,
    setting="liquidity",
    quotes=f"{HERE} {HERE}",
    contract=THIN,
    do={0: [send("a", "buy", 0.5, type_filling=IOC)]},
    hear="""
        0 > a ok
        0 a PARTIALLY_FILLED 10010 0.30 of 0.50
        0 a buy in 0.30 @1.10010
        0 a CANCELED 10010
    """,
    end="position a buy 0.30 @1.10010; no order; history a buy CANCELED @0.00000 current 1.10010",
)

case(
    "E-161",
    "The rest of a RETURN order stays active, and fills on the next quotes at their prices.",
    section="2.5",
    source=FILLING,
    setting="liquidity",
    quotes="1.10000/1.10010 1.10000/1.10020 1.10000/1.10030 1.10000/1.10040",
    contract=THIN,
    do={0: [send("a", "buy", 0.8, type_filling=RETURN)]},
    hear="""
        0 > a ok
        0 a PARTIALLY_FILLED 10010 0.30 of 0.80
        0 a buy in 0.30 @1.10010
        1 a PARTIALLY_FILLED 10010 0.60 of 0.80
        1 a buy in 0.30 @1.10020
        2 a FILLED 10009
        2 a buy in 0.20 @1.10030
    """,
    end="position a buy 0.80 @1.1001875; no order; history a buy FILLED @0.00000 current 1.10030",
)

case(
    "E-162",
    "A FOK order that finds too little is refused, and in the history as cancelled.",
    section="2.5",
    source=FILLING,
    setting="unfilled_retcode",
    quotes=HERE,
    contract=THIN,
    do={0: [send("a", "buy", 0.5, type_filling=FOK), send("b", "buy", 0.3, type_filling=FOK)]},
    hear="""
        0 > a 10006
        0 > b ok
        0 a REJECTED 10006
        0 b FILLED 10009
        0 b buy in 0.30 @1.10010
    """,
    end="position b buy 0.30 @1.10010; no order",
)

case(
    "E-163",
    "The rest of an order can be cancelled.",
    section="2.13",
    source="book MQL5 Programming for Traders, Trading automation",
    setting="liquidity",
    quotes=f"{HERE} {HERE}",
    contract=THIN,
    do={0: [send("a", "buy", 0.8, type_filling=RETURN), cancel("a")]},
    hear="""
        0 > a ok
        0 > cancel a True
        0 a PARTIALLY_FILLED 10010 0.30 of 0.80
        0 a buy in 0.30 @1.10010
        0 a cancel CANCELED 10009
    """,
    end="position a buy 0.30 @1.10010; no order; history a buy CANCELED @0.00000 current 1.10010",
)

case(
    "E-164",
    "An order that has to wait for volume answers 10008, and fills later.",
    section="1.9",
    source=RETCODES,
    setting="liquidity",
    quotes=f"{HERE} {HERE}",
    contract=THIN,
    do={0: [send("a", "buy", 0.3, type_filling=FOK), send("b", "buy", 0.2, type_filling=RETURN)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 0.30 @1.10010
        0 b ACCEPTED 10008
        1 b FILLED 10009
        1 b buy in 0.20 @1.10010
    """,
)

case(
    "E-165",
    "A limit order fills in parts while its price is there, and can be modified in between.",
    section="2.5",
    source=FILLING,
    setting="liquidity",
    quotes="1.10000/1.10010 1.08990/1.09000 1.09990/1.10000 1.07990/1.08000",
    contract=THIN,
    do={
        0: [send("a", "buy_limit", 0.5, price=1.09, type_filling=RETURN)],
        2: [modify("a", price=1.08)],
    },
    hear="""
        0 > a ok
        0 a ACCEPTED 10009
        1 a PARTIALLY_FILLED 10010 0.30 of 0.50
        1 a buy in 0.30 @1.09000
        2 > modify a True
        2 a modify PARTIALLY_FILLED 10009 0.30 of 0.50
        3 a FILLED 10009
        3 a buy in 0.20 @1.08000
    """,
    end="position a buy 0.50 @1.08600; no order",
)

case(
    "E-166",
    "Outside the trade sessions nothing is traded, and levels wait for the first quote of the next session.",
    section="2.2",
    source=PRINCIPLES,
    setting="sessions_trade",
    quotes="1.10000/1.10010 +5m 1.08000/1.08010 +5m 1.08500/1.08510",
    contract='sessions_trade = "Wed 00:00-12:05, 12:10-24:00"',
    do={
        0: [send("a", "buy", 0.1, sl=1.09)],
        1: [send("b", "buy", 0.1), sltp("a", sl=1.07)],
    },
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > b 10018
        1 > modify a False
        1 b REJECTED 10018
        1 a sltp FILLED 10018
        2 a sell out 0.10 @1.08500 sl -151.00
    """,
    end="no position",
)

case(
    "E-167",
    "What executes at the market slips, a limit order does not.",
    section="2.7",
    source=PRINCIPLES,
    setting="slippage_points",
    quotes="1.10000/1.10010 1.09990/1.10000",
    contract="slippage_points = 5",
    do={0: [send("a", "buy", 0.1), send("b", "buy_limit", 0.1, price=1.1)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10015
        0 b ACCEPTED 10009
        1 b FILLED 10009
        1 b buy in 0.10 @1.10000
    """,
)

case(
    "E-168",
    "First in, first out: the younger position cannot be closed first.",
    section="2.11",
    source=RETCODES,
    setting="fifo_close",
    quotes=f"{HERE} {HERE} {HERE}",
    account="fifo_close = true",
    do={
        0: [send("a", "buy", 0.1)],
        1: [send("b", "buy", 0.1)],
        2: [send("c", "sell", 0.1, position="b"), send("d", "sell", 0.1, position="a")],
    },
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b buy in 0.10 @1.10010
        2 > c 10045
        2 > d ok
        2 c REJECTED 10045
        2 d FILLED 10009
        2 d sell out 0.10 @1.10000 -1.00
    """,
    end="position b buy 0.10 @1.10010",
)

case(
    "E-169",
    "Where hedging is prohibited, an opposite position or pending order is refused.",
    section="2.11",
    source=RETCODES,
    setting="hedge_allowed",
    quotes=HERE,
    account="hedge_allowed = false",
    do={0: [send("a", "buy", 0.1), send("b", "sell", 0.1), send("c", "sell_limit", 0.1, price=1.2)]},
    hear="""
        0 > a ok
        0 > b 10046
        0 > c 10046
        0 a FILLED 10009
        0 a buy in 0.10 @1.10010
        0 b REJECTED 10046
        0 c REJECTED 10046
    """,
)
