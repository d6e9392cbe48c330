"""Money: conversion, margin, commission, swaps, stop-out. E-125 to E-149."""

from __future__ import annotations

from tests.conformance.execution import case, close_by, send

PROFIT = "MetaTrader 5 administrator help, Profit Calculation"
MARGIN = "MetaTrader 5 help, Margin Calculation: Forex, Futures"
SWAPS = "MetaTrader 5 administrator help, Swaps"
COMMISSION = "MetaTrader 5 administrator help, Commission Settings"
STOP_OUT = "MetaTrader 5 administrator help, Groups: margin call and stop out"
HERE = "1.10000/1.10010"

case(
    "E-125",
    "Profit of a pair whose base is the deposit currency converts at the price of the deal.",
    section="4.2",
    source=PROFIT,
    symbol="USDJPY",
    digits=3,
    quotes="150.000/150.010 151.000/151.010",
    do={0: [send("a", "buy", 1.0)], 1: [send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @150.010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 1.00 @151.000 +655.63
    """,
    end="balance 10655.63",
)

case(
    "E-126",
    "Margin of a pair whose base is the deposit currency is its contract over the leverage, whatever the price.",
    section="4.3",
    source=MARGIN,
    symbol="USDJPY",
    digits=3,
    quotes="150.000/150.010 100.000/100.010",
    do={0: [send("a", "sell", 1.0)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a sell in 1.00 @150.000
    """,
    end="margin 1000.00",
)

case(
    "E-127",
    "Margin of a pair against the deposit currency is taken at the open price, and does not move with the market.",
    section="4.5",
    source=MARGIN,
    quotes="1.10000/1.10010 1.20000/1.20010",
    do={0: [send("a", "buy", 1.0)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
    """,
    end="margin 1100.10; equity 19990.00",
)

case(
    "E-128",
    "Opposite positions of a hedging account cover each other: margin is that of one side at the hedged contract.",
    section="4.5",
    source=MARGIN,
    setting="margin_hedged",
    quotes=HERE,
    contract="margin_hedged = 50000",
    do={0: [send("a", "buy", 2.0), send("b", "sell", 1.0)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 2.00 @1.10010
        0 b FILLED 10009
        0 b sell in 1.00 @1.10000
    """,
    # 1 lot uncovered at 1.10010: 1100.10; 1 lot covered, 50000 at the average 1.10006667: 550.03.
    end="margin 1650.13",
)

case(
    "E-129",
    "Commission is charged for each deal, in and out.",
    section="4.8",
    source=COMMISSION,
    setting="commissions",
    quotes=HERE,
    account="commissions = [{ value = 3.5 }]",
    do={0: [send("a", "buy", 1.0), send("b", "sell", 0.4, position="a")]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010 commission -3.50
        0 b FILLED 10009
        0 b sell out 0.40 @1.10000 -4.00 commission -1.40
    """,
    end="balance 9991.10",
)

case(
    "E-130",
    "When the margin level falls to the stop-out level, the position with the largest loss is closed, and no other.",
    section="4.9",
    source=STOP_OUT,
    setting="stop_out",
    quotes="1.10000/1.10010 1.09215/1.09225",
    do={0: [send("a", "buy", 5.0), send("b", "buy", 4.0)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 5.00 @1.10010
        0 b FILLED 10009
        0 b buy in 4.00 @1.10010
        1 a sell out 5.00 @1.09215 so -3975.00
    """,
    end="""
        position b buy 4.00 @1.10010; balance 6025.00
        history a buy FILLED @0.00000 current 1.10010
        history b buy FILLED @0.00000 current 1.10010
        history a sell FILLED @0.00000 current 1.09215 [so 28.73%/2845.00/9900.90]
    """,
)

case(
    "E-131",
    "Between margin call and stop-out nothing is closed, and closing orders pass.",
    section="4.9",
    source=STOP_OUT,
    setting="margin_call",
    quotes="1.10000/1.10010 1.09500/1.09510",
    do={0: [send("a", "buy", 9.0)], 1: [send("b", "buy", 0.01), send("c", "sell", 9.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 9.00 @1.10010
        1 > b 10019
        1 > c ok
        1 b REJECTED 10019
        1 c FILLED 10009
        1 c sell out 9.00 @1.09500 -4590.00
    """,
    end="balance 5410.00",
)

case(
    "E-132",
    "A stop loss comes before the stop-out of the same tick.",
    section="2.2",
    source="MetaTrader 5 server API, Request Processing on the Server",
    quotes="1.10000/1.10010 1.09250/1.09260",
    do={0: [send("a", "buy", 5.0), send("b", "buy", 4.0, sl=1.09500)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 5.00 @1.10010
        0 b FILLED 10009
        0 b buy in 4.00 @1.10010
        1 b sell out 4.00 @1.09250 sl -3040.00
    """,
    # Before it the margin level was 31.92; after it, it is 57.45.
    end="position a buy 5.00 @1.10010; balance 6960.00; margin_level 57.45",
)

case(
    "E-133",
    "The two legs of a Forex profit are rounded separately.",
    section="4.1",
    source=PROFIT,
    quotes="1.10001/1.10003 1.10007/1.10009",
    contract="volume_step = 0.001\nvolume_min = 0.001",
    do={0: [send("a", "buy", 0.005)], 1: [send("b", "sell", 0.005, position="a")]},
    # 1.10007 * 500 = 550.035, 1.10003 * 500 = 550.015: each is rounded before one is taken from the other.
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.01 @1.10003
        1 > b ok
        1 b FILLED 10009
        1 b sell out 0.01 @1.10007 +0.02
    """,
)

case(
    "E-134",
    "Profit of a contract for difference is the difference of prices times the contract.",
    section="4.1",
    source=PROFIT,
    symbol="XAUUSD",
    digits=2,
    quotes="2000.00/2000.20 2010.00/2010.20",
    do={0: [send("a", "buy", 0.5)], 1: [send("b", "sell", 0.5, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 0.50 @2000.20
        1 > b ok
        1 b FILLED 10009
        1 b sell out 0.50 @2010.00 +490.00
    """,
)

case(
    "E-135",
    "Profit of a cross converts by the pair of its profit currency: selling to close takes that pair's ask.",
    section="4.2",
    source=PROFIT,
    symbol="EURGBP",
    quotes="0.85000/0.85010 0.86000/0.86010",
    beside={"GBPUSD": "1.27000/1.27020 1.28000/1.28020", "EURUSD": "1.10000/1.10010 1.10000/1.10010"},
    do={0: [send("a", "buy", 1.0)], 1: [send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @0.85010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 1.00 @0.86000 +1267.40
    """,
)

case(
    "E-136",
    "Closing two positions by each other pays the spread once, and no commission unless the broker says so.",
    section="4.8",
    source=COMMISSION,
    setting="commissions",
    quotes=HERE,
    account="commissions = [{ value = 2.0 }]",
    do={0: [send("a", "buy", 1.0), send("b", "sell", 1.0), close_by("c", "b", "a")]},
    hear="""
        0 > a ok
        0 > b ok
        0 > c ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010 commission -2.00
        0 b FILLED 10009
        0 b sell in 1.00 @1.10000 commission -2.00
        0 c FILLED 10009
        0 c buy out_by 1.00 @1.10010 -10.00
        0 c sell out_by 1.00 @1.10000 +0.00
    """,
    end="balance 9986.00",
)

case(
    "E-137",
    "A swap in points is charged at the end of the day, and moves into the deal that closes the position.",
    section="4.7",
    source=SWAPS,
    setting="swap_mode",
    quotes="1.10000/1.10010 +4s 1.10000/1.10010",
    start="Tue 23:59:57",
    contract="swap_long = -6.5",
    do={0: [send("a", "buy", 1.0)], 1: [send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 1.00 @1.10000 -10.00 swap -6.50
    """,
    end="balance 9983.50",
)

case(
    "E-138",
    "On the day of the threefold swap three nights are charged.",
    section="4.7",
    source=SWAPS,
    setting="swap_rollover3days",
    quotes="1.10000/1.10010 +4s 1.10000/1.10010",
    start="Wed 23:59:57",
    contract="swap_long = -6.5",
    do={0: [send("a", "buy", 1.0)], 1: [send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 1.00 @1.10000 -10.00 swap -19.50
    """,
)

case(
    "E-139",
    "A positive swap is paid, and counts in the equity before the position is closed.",
    section="4.6",
    source=SWAPS,
    setting="swap_short",
    quotes="1.10000/1.10010 +4s 1.10000/1.10010",
    start="Tue 23:59:57",
    contract="swap_short = 2.5",
    do={0: [send("a", "sell", 2.0)]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a sell in 2.00 @1.10000
    """,
    end="balance 10000.00; equity 9985.00",
)

case(
    "E-140",
    "A partial close takes its share of the swap; the rest stays with the position.",
    section="4.7",
    source=SWAPS,
    setting="swap_long",
    quotes="1.10000/1.10010 +4s 1.10000/1.10010 1.10000/1.10010",
    start="Tue 23:59:57",
    contract="swap_long = -6.5",
    do={
        0: [send("a", "buy", 1.0)],
        1: [send("b", "sell", 0.4, position="a")],
        2: [send("c", "sell", 0.6, position="a")],
    },
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 0.40 @1.10000 -4.00 swap -2.60
        2 > c ok
        2 c FILLED 10009
        2 c sell out 0.60 @1.10000 -6.00 swap -3.90
    """,
    end="balance 9983.50",
)

case(
    "E-141",
    "A position that is closed before the end of the day pays no swap.",
    section="4.7",
    source=SWAPS,
    setting="swap_long",
    quotes="1.10000/1.10010 1.10000/1.10010 +4s 1.10000/1.10010",
    start="Tue 23:59:57",
    contract="swap_long = -6.5",
    do={0: [send("a", "buy", 1.0)], 1: [send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 1.00 @1.10000 -10.00
    """,
    end="balance 9990.00",
)

case(
    "E-142",
    "A swap as money of the deposit currency is an amount for each lot.",
    section="4.7",
    source=SWAPS,
    setting="swap_mode",
    quotes="1.10000/1.10010 +4s 1.10000/1.10010",
    start="Tue 23:59:57",
    contract='swap_mode = "currency_deposit"\nswap_long = -1.25',
    do={0: [send("a", "buy", 2.0)], 1: [send("b", "sell", 2.0, position="a")]},
    hear="""
        0 > a ok
        0 a FILLED 10009
        0 a buy in 2.00 @1.10010
        1 > b ok
        1 b FILLED 10009
        1 b sell out 2.00 @1.10000 -20.00 swap -2.50
    """,
)

case(
    "E-143",
    "Commission may be charged for opening only.",
    section="4.8",
    source=COMMISSION,
    setting="commissions",
    quotes=HERE,
    account='commissions = [{ value = 7.0, entry = "in" }]',
    do={0: [send("a", "buy", 1.0), send("b", "sell", 1.0, position="a")]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 1.00 @1.10010 commission -7.00
        0 b FILLED 10009
        0 b sell out 1.00 @1.10000 -10.00
    """,
    end="balance 9983.00",
)

case(
    "E-144",
    "The stop-out first deletes pending orders that reserve margin; if that is enough, no position is closed.",
    section="4.9",
    source=STOP_OUT,
    setting="margin_rates",
    quotes="1.10000/1.10010 1.09224/1.09234",
    contract="margin_rates = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]",
    account="stop_out = 50.0",
    do={0: [send("a", "buy", 7.0), send("b", "buy_limit", 1.9, price=1.0)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 7.00 @1.10010
        0 b ACCEPTED 10009
        1 b CANCELED 0
    """,
    end="position a buy 7.00 @1.10010; no order",
)

case(
    "E-145",
    "On a netting account an opposite order of the same size needs no margin.",
    section="4.4",
    source=MARGIN,
    setting="margin_mode",
    quotes=HERE,
    account='margin_mode = "netting"',
    do={0: [send("a", "buy", 9.0), send("b", "sell", 9.0)]},
    hear="""
        0 > a ok
        0 > b ok
        0 a FILLED 10009
        0 a buy in 9.00 @1.10010
        0 b FILLED 10009
        0 b sell out 9.00 @1.10000 -90.00
    """,
    end="margin 0.00; balance 9910.00",
)
