"""One signed HTTP request from the edge to the platform, by the standard library, through a proxy where the hospital has one."""

import base64
import hashlib
import http.client
import json
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from accounts.canonical import canonical
from imaging.edge import clock, envelope
from imaging.edge.home import SOFTWARE, Home

SECONDS = 60
MAX_ANSWER, PIECE = 2**20, 2**18


class PlatformUnreachable(Exception):
    """The platform did not answer as it should; the argument is a code that may be logged and shown."""


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the JSON of the answer (None when it is not JSON)."""

    status: int
    said: Any


class Line:
    """A way to one platform: direct, or through a proxy (`proxy`, else HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment)."""

    def __init__(self, url: str, proxy: str = "") -> None:
        self.url, self.proxy = urlsplit(url), proxy

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | BinaryIO = b"") -> Answer:
        """Send one request; PlatformUnreachable when nobody answers."""
        sent = {"Content-Type": "application/octet-stream", "User-Agent": SOFTWARE} | headers
        try:
            with closing(self._connection()) as connection:
                target = self._target(connection, path, sent)
                with suppress(BrokenPipeError, ConnectionResetError):  # the platform may answer before it read everything
                    connection.request(method, target, body=body, headers=sent)
                response = connection.getresponse()
                return Answer(response.status, _json(response.read(MAX_ANSWER)))
        except ssl.SSLError:
            raise PlatformUnreachable("tls") from None
        except (OSError, http.client.HTTPException) as error:
            raise PlatformUnreachable(type(error).__name__) from None

    def send(self, path: str, headers: dict[str, str], file: Path, start: int) -> Answer:
        """PUT a file from its byte `start` on."""
        size = file.stat().st_size
        more = {"Content-Length": str(size - start)}
        if start:
            more["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        with file.open("rb") as body:
            body.seek(start)
            return self.ask("PUT", path, headers | more, body)

    def _connection(self) -> http.client.HTTPConnection:
        host, port, proxy = self.url.hostname or "", self.url.port, self._proxy()
        at, through = (proxy.hostname or "", proxy.port or 3128) if proxy else (host, port)
        if self.url.scheme == "https":
            context = ssl.create_default_context()
            secure = http.client.HTTPSConnection(at, through, timeout=SECONDS, context=context, blocksize=PIECE)
            if proxy:
                secure.set_tunnel(host, port, _authorization(proxy))
            return secure
        return http.client.HTTPConnection(at, through, timeout=SECONDS, blocksize=PIECE)

    def _target(self, connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> str:
        """The path, or for a plain request through a proxy the whole address."""
        proxy = self._proxy()
        if proxy is None or self.url.scheme == "https":
            return path
        headers.update(_authorization(proxy))
        return f"http://{self.url.netloc}{path}"

    def _proxy(self) -> Any:
        found = self.proxy or ("" if proxy_bypass(self.url.netloc) else getproxies().get(self.url.scheme, ""))
        return urlsplit(found if "://" in found else f"http://{found}") if found else None


class Exchange:
    """Speaks to one platform in the name of one gateway."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.gateway = home.settings["gateway"]
        self.key = home.gateway_key
        self.here: dict[str, int] = {}
        """How many bytes of a package the platform had when it was last sent, by id."""

    def get(self, path: str) -> Answer:
        """A signed GET."""
        return self._line().ask("GET", path, self._signed("GET", path, hashlib.sha256(b"").hexdigest()))

    def post(self, path: str, said: Any) -> Answer:
        """A signed POST of the canonical bytes of `said`."""
        body = canonical(said)
        return self._line().ask("POST", path, self._signed("POST", path, hashlib.sha256(body).hexdigest()), body)

    def put(self, package: str, file: Path, sha256: str, size: int) -> Answer:
        """Send a package, or the rest of one that the platform has begun to receive."""
        path = envelope.PACKAGE_PATH.format(id=package)
        start = begin(self._line().ask("GET", path, self._signed("GET", path, sha256)), size)
        self.here[package] = start
        return self._line().send(path, self._signed("PUT", path, sha256), file, start)

    def _signed(self, method: str, path: str, sha256: str) -> dict[str, str]:
        return envelope.sign_request(
            private_key=self.key, gateway=self.gateway, method=method, path=path, body_sha256=sha256, at=clock.now()
        )

    def _line(self) -> Line:
        return Line(self.home.platform.url, str(self.home.settings.get("proxy", "")))


def begin(answer: Answer, size: int) -> int:
    """Where to go on with a package of `size` bytes, by the platform's answer to how many it has."""
    known = answer.status == HTTPStatus.OK and isinstance(answer.said, dict)
    here = answer.said.get("received") if known else 0
    return here if isinstance(here, int) and 0 < here < size else 0


def _authorization(proxy: Any) -> dict[str, str]:
    if not proxy.username:
        return {}
    said = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(said.encode()).decode()}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
