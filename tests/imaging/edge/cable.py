"""A cable between an edge and a platform that can be cut: it carries bytes both ways and breaks after so many upward ones.

The caller sees the cut once the platform has noticed it, as in a hospital, where seconds pass before the next attempt.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Cable:
    """Listens on a free port and connects each caller to `port`; `cuts` connections break after `after` bytes upward each."""

    def __init__(self, port: int, *, cuts: int, after: int) -> None:
        self.target, self.cuts, self.after = port, cuts, after
        self.upward, self.broken = 0, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def close(self) -> None:
        """End, after every connection has ended."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def _start(self, function: object, *arguments: object) -> None:
        self._threads.append(threading.Thread(target=function, args=arguments, daemon=True))  # type: ignore[arg-type]
        self._threads[-1].start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._start(self._carry, near)

    def _carry(self, near: socket.socket) -> None:
        cut = threading.Event()
        with near, socket.create_connection(("127.0.0.1", self.target)) as far:
            up = threading.Thread(target=self._up, args=(near, far, cut), daemon=True)
            up.start()
            with contextlib.suppress(OSError):
                while piece := far.recv(65_536):
                    if not cut.is_set():
                        near.sendall(piece)
            with contextlib.suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
            up.join(timeout=10)

    def _up(self, near: socket.socket, far: socket.socket, cut: threading.Event) -> None:
        left = self.after
        with contextlib.suppress(OSError):
            while piece := near.recv(65_536):
                if self.broken < self.cuts and len(piece) > left:
                    cut.set()
                    self.broken += 1
                    self._pass(far, piece[:left])
                    break
                left -= len(piece)
                self._pass(far, piece)
            far.shutdown(socket.SHUT_WR)

    def _pass(self, far: socket.socket, piece: bytes) -> None:
        self.upward += len(piece)
        far.sendall(piece)


@contextlib.contextmanager
def cable(port: int, *, cuts: int, after: int) -> Iterator[Cable]:
    """A cable for the time of a test."""
    made = Cable(port, cuts=cuts, after=after)
    try:
        yield made
    finally:
        made.close()
