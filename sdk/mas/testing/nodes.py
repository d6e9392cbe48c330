"""The two places where a test's RabbitMQ can live: a container, or a private node of the installed server.

Both start blank, listen on a free port of this machine, keep that port over `stop` and `start`, and run
`rabbitmqctl` beside the broker. Neither shares a thing with a broker that already runs here.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from mas_router.errors import MasError

IMAGE = "rabbitmq:4-management"
DEBIAN_BIN = Path("/usr/lib/rabbitmq/bin")  # the scripts themselves: those in /usr/sbin insist on their own user
COMMAND_SECONDS = 30
STOP_SECONDS = 60


class Unavailable(MasError):
    """This kind of broker cannot be had here."""


class Node(Protocol):
    """A broker that the tests own."""

    kind: str
    url: str

    def shell(self, script: str) -> tuple[int, str]:
        """Run a POSIX shell script where `rabbitmqctl` is on the PATH; the exit code and all it printed."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...

    def remove(self) -> None: ...

    def alive(self) -> bool:
        """Whether it still runs, serving or not."""

    def log(self) -> str: ...


def free_port() -> int:
    """A TCP port that is free now. Nothing reserves it, so use it soon."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different free TCP ports, below those that systems give to outgoing connections.

    A client that keeps calling a stopped broker on one of those could be given that very port for itself, and then
    the broker could not come back.
    """
    found: dict[int, socket.socket] = {}
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.close()
        else:
            found[port] = probe
    for probe in found.values():
        probe.close()
    return list(found)


class DockerNode:
    """RabbitMQ 4 in a container, started by testcontainers. Raises `Unavailable` without an engine or the image."""

    kind = "docker"

    def __init__(self) -> None:
        try:
            self._disable_reaper_without_its_image()
            from testcontainers.core.container import DockerContainer  # it reads its settings when imported
        except ModuleNotFoundError as error:
            raise Unavailable(f"{error}: pip install 'mas-order-router[testing]'") from error

        port = free_port()
        self._container = DockerContainer(IMAGE).with_bind_ports(5672, port)
        try:
            self._container.start()
        except BaseException as error:
            self._container.stop()
            if not isinstance(error, Exception):  # Ctrl-C
                raise
            # docker, requests and testcontainers raise unrelated classes
            raise Unavailable(f"the container {IMAGE} did not start: {error}") from error
        self.url = f"amqp://guest:guest@{self._container.get_container_host_ip()}:{port}"

    @staticmethod
    def _disable_reaper_without_its_image() -> None:
        """The helper that removes orphaned containers is a second image; do without it where it is not at hand."""
        import docker

        try:
            client = docker.from_env(timeout=COMMAND_SECONDS)
        except docker.errors.DockerException as error:
            raise Unavailable(f"no Docker engine answers: {error}") from error
        with closing(client):
            tags = {tag for image in client.images.list() for tag in image.tags}
        if not any("testcontainers/ryuk" in tag for tag in tags):
            os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

    @property
    def _docker(self) -> Any:
        return self._container.get_wrapped_container()

    def shell(self, script: str) -> tuple[int, str]:
        code, output = self._docker.exec_run(["timeout", str(COMMAND_SECONDS), "sh", "-c", script])
        return int(code), output.decode(errors="replace")

    def start(self) -> None:
        self._docker.start()

    def stop(self) -> None:
        self._docker.stop(timeout=STOP_SECONDS)

    def kill(self) -> None:
        self._docker.kill()

    def remove(self) -> None:
        self._container.stop()

    def alive(self) -> bool:
        self._docker.reload()
        return bool(self._docker.status == "running")

    def log(self) -> str:
        return str(self._docker.logs(tail=30).decode(errors="replace"))


class LocalNode:
    """A private node of the RabbitMQ installed here: own name, cookie, ports, epmd and folders; no plugins.

    It runs as whoever runs the tests. The server is a process group of its own, so `kill` reaches the Erlang
    machine behind its start script and nothing else.
    """

    kind = "local"

    def __init__(self) -> None:
        tools = self._tools()
        self._home = Path(tempfile.mkdtemp(prefix="mas-rabbit-"))
        self._port, distribution, names = free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}"
        self._environment = self._settings(tools, distribution, names)
        self._log = self._home / "log" / "console.log"
        self._server: subprocess.Popen[bytes] | None = None
        # Started here because a node without one starts a daemon that outlives it.
        self._epmd = subprocess.Popen(
            ["epmd", "-port", str(names), "-address", "127.0.0.1"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self.start()
        except BaseException:  # Ctrl-C, too
            self.remove()
            raise

    @staticmethod
    def _tools() -> Path:
        """The folder of `rabbitmq-server` and `rabbitmqctl`."""
        if sys.platform == "win32":
            raise Unavailable("a private node takes process groups, which Windows does not have")
        if shutil.which("epmd") is None:
            raise Unavailable("Erlang's epmd is not on the PATH")
        if (DEBIAN_BIN / "rabbitmq-server").exists():
            return DEBIAN_BIN
        if found := shutil.which("rabbitmq-server"):
            return Path(found).parent
        raise Unavailable("rabbitmq-server is not installed")

    def _settings(self, tools: Path, distribution: int, names: int) -> dict[str, str]:
        for folder in ("data", "log"):
            (self._home / folder).mkdir()
        (self._home / "enabled_plugins").write_text("[].\n")
        (self._home / "rabbitmq-env.conf").write_text("")  # hides the one in /etc
        (self._home / "rabbitmq.conf").write_text("disk_free_limit.absolute = 50MB\n")
        return {
            "PATH": f"{tools}:{os.environ.get('PATH', os.defpath)}",
            "LANG": "C.UTF-8",
            "HOME": str(self._home),  # where the Erlang cookie goes
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"mas-test-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_BASE": str(self._home),
            "RABBITMQ_MNESIA_BASE": str(self._home / "data"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_PID_FILE": str(self._home / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(self._home / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._home / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "enabled_plugins"),
            # Idle schedulers sleep instead of spinning: the tests need the processor.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def shell(self, script: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [shutil.which("rabbitmq-server", path=self._environment["PATH"]) or "rabbitmq-server"],
                env=self._environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self._server is None:
            return
        self._server.terminate()  # the start script stops the node cleanly
        try:
            self._server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._server = None

    def kill(self) -> None:
        if self._server is None:
            return
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait(STOP_SECONDS)
        self._server = None

    def remove(self) -> None:
        self.kill()
        self._epmd.terminate()
        self._epmd.wait(STOP_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)

    def alive(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def log(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])
