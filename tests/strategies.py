"""Strategies of the tests of `mas backtest`, written into a directory as a user would keep them."""

from __future__ import annotations

from pathlib import Path

CROSS = '''
from collections import deque

import mas


class Cross(mas.Client):
    """Holds one position in the direction of the faster of two moving averages."""

    fast: int = 4
    slow: int = 16
    volume = 0.1

    def __init__(self):
        super().__init__()
        self.closes = deque(maxlen=self.slow)
        self.held, self.side = None, ""

    def receive_bars(self, symbol, data, is_end=False):
        self.closes.append(data["close"])
        if is_end:
            self.turn(symbol, "")
        elif len(self.closes) == self.slow:
            fast = sum(list(self.closes)[-self.fast :]) / self.fast
            self.turn(symbol, "buy" if fast > sum(self.closes) / self.slow else "sell")

    def turn(self, symbol, side):
        if side == self.side:
            return
        if self.held is not None:
            self.send(symbol, "sell" if self.side == "buy" else "buy", order_id=self.held)
        self.held, self.side = (self.send(symbol, side) if side else None), side

    def send(self, symbol, side, **more):
        order = {"symbol": symbol, "order_type": side, "volume": self.volume, "backtest_toggle": True}
        return self.send_order({**order, **more})
'''

ODD = '''
import os
import random
import signal
import sys
import threading
import time

import mas

SEEN = []


class Odd(mas.Client):
    """Does what strategies should not do, in the way that `act` names."""

    act = "nothing"
    marks = ""
    number = 0
    seconds = 0.0

    def receive_bars(self, symbol, data, is_end=False):
        if not is_end:
            return
        if self.marks:
            with open(os.path.join(self.marks, f"{self.number}-{os.getpid()}-{os.getppid()}-{time.time_ns()}"), "w"):
                pass
        getattr(self, "do_" + self.act)()

    def do_nothing(self):
        time.sleep(self.seconds)

    def do_sleep_if_odd(self):
        time.sleep(self.seconds if self.number % 2 else 0.0)

    def do_raise(self):
        raise RuntimeError("planted")

    def do_leave(self):
        sys.exit(3)

    def do_crash(self):
        os._exit(7)

    def do_kill_the_worker_if_odd(self):
        if self.number % 2:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)

    def do_print(self):
        print("noise " * 20_000)
        os.write(1, b"more noise")

    def do_remember(self):
        SEEN.append(self.number)
        if len(SEEN) > 1:
            raise RuntimeError(f"the module knows another run: {SEEN}")

    def do_draw(self):
        self.send_order({"symbol": "EURUSD", "order_type": "buy", "backtest_toggle": True,
                         "volume": round(random.uniform(0.01, 0.5), 2)})

    def do_draw_with_numpy(self):
        import numpy as np

        self.send_order({"symbol": "EURUSD", "order_type": "buy", "backtest_toggle": True,
                         "volume": round(float(np.random.uniform(0.01, 0.5)), 2)})

    def do_leave_a_thread(self):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

    def do_find_no_broker(self):
        named = [name for name in os.environ if name.endswith("_URL")]
        if named:
            raise RuntimeError(f"the strategy can see {named}")
'''


def write_strategies(directory: Path) -> Path:
    """The directory, with cross.py and inner/odd.py in it."""
    (directory / "inner").mkdir(parents=True)
    (directory / "cross.py").write_text(CROSS, encoding="utf-8")
    (directory / "inner" / "odd.py").write_text(ODD, encoding="utf-8")
    return directory
