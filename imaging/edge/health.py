"""The edge's readiness over HTTP: `GET /healthz` and `GET /status` (JSON, counts only)."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Report = Callable[[], tuple[bool, dict[str, Any]]]


def server(address: str, port: int, report: Report) -> ThreadingHTTPServer:
    """A server, not yet serving, that answers from `report()`: (healthy, counts). /healthz is 200 or 503."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "prime-edge", ""

        def do_GET(self) -> None:
            if self.path not in ("/healthz", "/status"):
                self._answer(404, {"detail": "There is /healthz and /status."})
                return
            healthy, counts = report()
            if self.path == "/healthz":
                self._answer(200 if healthy else 503, {"healthy": healthy})
            else:
                self._answer(200, {"healthy": healthy} | counts)

        def _answer(self, status: int, said: dict[str, Any]) -> None:
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the requests are a supervisor's."""

    made = ThreadingHTTPServer((address, port), Handler)
    made.daemon_threads = True
    return made
