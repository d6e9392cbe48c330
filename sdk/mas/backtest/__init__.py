"""`mas backtest`: one strategy over one range of quotes, or over a grid of parameters on many processes."""
