"""A TLS server in front of a plain port, with a certificate made on the spot."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import pytest

IDLE_SECONDS = 30


class TlsFront:
    """Listens on `url` (amqps://localhost:...) and passes the bytes on. Skips the test where openssl is missing."""

    def __init__(self, plain_url: str, folder: Path) -> None:
        parts = urlsplit(plain_url)
        self._backend = (parts.hostname or "", parts.port or 5672)
        self.ca_file, key = folder / "cert.pem", folder / "key.pem"
        _make_certificate(self.ca_file, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key)
        self._context = context
        self._server = socket.create_server(("127.0.0.1", 0))
        login = f"{parts.username}:{parts.password}"
        self.url = f"amqps://{login}@localhost:{self._server.getsockname()[1]}{parts.path}"
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> TlsFront:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the server was closed
            while True:
                plain, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError):  # ssl.SSLError is one: the client did not like our certificate
            plain.settimeout(IDLE_SECONDS)
            front = self._context.wrap_socket(plain, server_side=True)
            back = socket.create_connection(self._backend, timeout=IDLE_SECONDS)
            self._sockets += [front, back]
            threading.Thread(target=_pump, args=(back, front), daemon=True).start()
            _pump(front, back)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _make_certificate(certificate: Path, key: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
