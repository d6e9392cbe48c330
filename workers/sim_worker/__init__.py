"""The simulated MT5 trade server: a pure engine, its market data, and the worker that serves simulated accounts."""
