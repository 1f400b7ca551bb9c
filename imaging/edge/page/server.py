"""The edge's page over HTTP, `/healthz` and `/status` among its addresses: Flask's application served by waitress."""

import socket
from typing import Any

import waitress

from imaging.edge.home import Home
from imaging.edge.page import app
from imaging.edge.page.app import Report

THREADS, BACKLOG = 4, 64


class Page:
    """A bound server, not yet serving. `port` is where it listens."""

    def __init__(self, home: Home, report: Report, address: str, port: int) -> None:
        self._socket = socket.create_server((address, port), backlog=BACKLOG)
        self.port = int(self._socket.getsockname()[1])
        self._server: Any = waitress.create_server(app.create(home, report), sockets=[self._socket], threads=THREADS, ident=None)

    def serve(self) -> None:
        """Answer requests until `close`."""
        self._server.run()

    def close(self) -> None:
        """Stop answering; from any thread."""
        self._server.trigger.pull_trigger(self._server.close)  # the loop's own thread must do it
