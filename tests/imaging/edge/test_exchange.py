"""The way to the platform through a hospital's proxy, and an answer that comes before everything was sent."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from imaging.edge.exchange import Line, PlatformUnreachable


class Proxy:
    """A plain proxy that notes what it was asked; CONNECT is noted and refused."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                proxy.asked.append((self.command, self.path, self.headers.get("Proxy-Authorization")))
                url, body = urlsplit(self.path), self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with closing(http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)) as far:
                    far.request(self.command, url.path, body)
                    said = far.getresponse()
                    data = said.read()
                self.send_response(said.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_CONNECT(self) -> None:
                proxy.asked.append((self.command, self.path, self.headers.get("Proxy-Authorization")))
                self.send_error(502)

            do_GET = do_PUT = do_POST = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def early() -> Iterator[int]:
    """A server that answers 401 as soon as it has the headers, and reads no body; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            near, _ = server.accept()
            with near:
                near.recv(65_536)
                near.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
                near.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])


def test_a_set_proxy_carries_every_request_with_its_password(proxy: Proxy, early: int) -> None:
    answer = Line(f"http://127.0.0.1:{early}", f"http://user:p%40ss@{proxy.address}").ask("GET", "/edge/v1/x", {})
    assert (answer.status, answer.said) == (401, {})
    assert proxy.asked == [("GET", f"http://127.0.0.1:{early}/edge/v1/x", "Basic dXNlcjpwQHNz")]


def test_https_goes_through_a_tunnel(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(PlatformUnreachable):
        Line("https://platform.example").ask("GET", "/healthz", {})
    with pytest.raises(PlatformUnreachable):
        Line("https://inside.example.invalid:1", proxy.address).ask("GET", "/healthz", {})
    with pytest.raises(PlatformUnreachable):
        Line("https://inside.example:1").ask("GET", "/healthz", {})
    said: list[Any] = [(method, path) for method, path, _ in proxy.asked]
    assert said == [("CONNECT", "platform.example:443"), ("CONNECT", "inside.example.invalid:1")], "the third went past the proxy"


def test_an_answer_that_comes_before_the_body_was_read_is_heard(early: int) -> None:
    """The platform checks the signature first: a stranger's gigabytes are not read, and the edge learns why."""
    answer = Line(f"http://127.0.0.1:{early}").ask("PUT", "/edge/v1/x", {}, bytes(32 * 2**20))
    assert answer.status == 401
