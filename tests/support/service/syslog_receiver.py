"""An audit repository: receives syslog over TLS (RFC 5425) from clients that show a certificate it trusts."""

import contextlib
import socket
import ssl
import threading
from typing import BinaryIO


class SyslogReceiver:
    """Listens on the same port after each `start`; `messages` are what came since the first, header and text in one."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        self.messages: list[str] = []
        self.port = 0

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def stop(self) -> None:
        """Close the port and cut off whoever is connected."""
        for one in [self._listener, *self._open]:
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._listener, self._open = None, []

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                threading.Thread(target=self._receive, args=[plain], daemon=True).start()

    def _receive(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            connection = self._context.wrap_socket(plain, server_side=True)
            self._open.append(connection)
            with connection.makefile("rb") as stream:
                while length := _length(stream):
                    self.messages.append(stream.read(length).decode("utf-8"))


def _length(stream: BinaryIO) -> int:
    """The octet count before a message; 0 at the end of the connection."""
    digits = b""
    while (one := stream.read(1)) not in (b" ", b""):
        digits += one
    return int(digits or b"0")
