"""A Chromium without a window, driven over its DevTools pipe: pages of ours open in it as they do for a reader.

`find` takes the browser that MAS_TEST_BROWSER names, an installed one, or Debian's package of it when root may install
it.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mas.testing.nodes import Unavailable
from tests.rabbit import apt, may_install, one_at_a_time, wait_until

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
SECONDS = 30
#: Width and height in CSS pixels, and device pixels in each of them.
DESKTOP, PHONE = (1280, 900, 1), (390, 844, 2)

#: Gives a program these two files as numbers 3 and 4, which is where a browser looks for its pipe.
LAUNCH = """
import os, sys
files = [int(number) for number in sys.argv[1:3]]
while min(files) < 5:
    files = [os.dup(number) for number in files]
os.dup2(files[0], 3)
os.dup2(files[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

Fields = dict[str, Any]


def find(announce: Callable[[str], None]) -> str:
    """The path of a browser. Raises `Unavailable`."""
    if named := os.environ.get("MAS_TEST_BROWSER"):
        return named
    if found := _installed():
        return found
    if not may_install():
        raise Unavailable("no Chromium or Chrome is installed, and installing one takes root and apt-get")
    with one_at_a_time():
        if found := _installed():
            return found
        announce("installing chromium with apt-get")
        apt("update", "-q")
        apt("install", "-qy", "--no-install-recommends", "chromium")
    if found := _installed():
        return found
    raise Unavailable("chromium was installed, but is not on the PATH")


def _installed() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser process with one page. Everything that the page complains about is in `complaints`."""

    def __init__(self, path: str) -> None:
        self._home = tempfile.mkdtemp(prefix="mas-browser-")
        ours, theirs = os.pipe(), os.pipe()  # we write to it; it writes to us
        self._write, self._read = ours[1], theirs[0]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(ours[0]), str(theirs[1]), path, *self._switches()],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a group of its own, so that its helpers can be ended with it
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._rest, self._number, self._events = b"", 0, list[Fields]()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._session = ""
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self) -> None:
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.command(f"{domain}.enable")

    def _switches(self) -> list[str]:
        return [
            "--headless=new",
            "--no-sandbox",  # tests often run as root, where it refuses to start with one
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._home}",
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser, and leave nothing behind."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(SECONDS)
        os.close(self._write)
        os.close(self._read)
        wait_until(self._is_removed, "the browser's helpers to end")

    def _is_removed(self) -> bool:
        """A helper that is not quite dead may still write into the folder."""
        shutil.rmtree(self._home, ignore_errors=True)
        return not Path(self._home).exists()

    # ---- pages -------------------------------------------------------------------------------------------------------

    def open(self, path: Path, size: tuple[int, int, int], *, dark: bool = False) -> float:
        """Open a file at a window's size; return when it is drawn: the seconds that took."""
        width, height, ratio = size
        phone = width < 500
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.complaints, self.requests = [], []
        started = time.monotonic()
        self.command("Page.navigate", url=path.as_uri())
        self._until(lambda: any(event["method"] == "Page.loadEventFired" for event in self._events), "the page to load")
        self._events.clear()
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        return time.monotonic() - started

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, a promise's when it is one."""
        found = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """A mouse event: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
        self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what is in the window, or the whole page, as PNG."""
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    # ---- the wire ----------------------------------------------------------------------------------------------------

    def command(self, method: str, **params: Any) -> Fields:
        """Send a DevTools command and wait for its answer."""
        self._number += 1
        number = self._number
        message: Fields = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        found: list[Fields] = []

        def answered() -> bool:
            found.extend(event for event in self._events if event.get("id") == number)
            return bool(found)

        self._until(answered, f"the answer to {method}")
        self._events = [event for event in self._events if "id" not in event]
        assert "error" not in found[0], f"{method}: {found[0]['error']}"
        result: Fields = found[0]["result"]
        return result

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"waited {SECONDS} s in vain for {what}"
            if select.select([self._read], [], [], left)[0]:
                self._take(os.read(self._read, 1 << 20))

    def _take(self, data: bytes) -> None:
        assert data, "the browser ended"
        *messages, self._rest = (self._rest + data).split(b"\0")
        for message in map(json.loads, messages):
            self._note(message)
            self._events.append(message)

    def _note(self, message: Fields) -> None:
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"].get("exception", params)))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
