"""The RabbitMQ of this project's tests: as `mas.testing` finds it, else installed with apt.

MAS_TEST_URL names one; else Docker, an installed `rabbitmq-server`, and the Debian package of it when root may
install it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pika

from mas.testing import router
from mas.testing.nodes import LocalNode, Unavailable
from mas.testing.nodes import free_port as free_port
from mas.testing.router import Router as Rabbit
from mas.testing.router import vhost_name as vhost_name
from mas.testing.router import wait_until as wait_until


def find(announce: Callable[[str], None]) -> Rabbit:
    """The broker for this run. Raises `Unavailable` with a text that says what to do."""

    def local() -> LocalNode:
        try:
            return LocalNode()
        except Unavailable:
            announce("installing rabbitmq-server with apt-get")
            install_server()
            return LocalNode()

    return router.find({**router.KINDS, "local": local})


def version(url: str) -> str:
    """The version in the server properties of a connection: `4.0.5`."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = 5
    connection = pika.BlockingConnection(parameters)
    try:
        # BlockingConnection has no public door to what the connection below it knows.
        return str(connection._impl.server_properties["version"])
    finally:
        connection.close()


def install_server() -> None:
    """Install Debian's `rabbitmq-server` without starting its service. Raises `Unavailable`."""
    if not may_install():
        raise Unavailable("rabbitmq-server is not installed, and installing it takes root and apt-get")
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")  # 101: do not start the service
        policy.chmod(0o755)
    try:
        apt("update", "-q")
        apt("install", "-qy", "--no-install-recommends", "rabbitmq-server")
    finally:
        if ours:
            policy.unlink()


def may_install() -> bool:
    """Whether this is root on a machine with apt-get."""
    return shutil.which("apt-get") is not None and os.geteuid() == 0


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two processes of a run do not install at once: apt-get would refuse the second."""
    import fcntl  # there is none on Windows, and no apt-get either

    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def apt(*arguments: str) -> None:
    """Run apt-get. Raises `Unavailable`."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise Unavailable(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-500:]}")
