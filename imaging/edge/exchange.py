"""One signed HTTP request from the edge to the platform, by the standard library."""

import hashlib
import http.client
import json
import ssl
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from accounts.canonical import canonical
from imaging.edge import clock, envelope
from imaging.edge.home import SOFTWARE, Home

SECONDS = 60
MAX_ANSWER = 2**20


class PlatformUnreachable(Exception):
    """The platform did not answer as it should; the argument is a code that may be logged and shown."""


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the JSON of the answer (None when it is not JSON)."""

    status: int
    said: Any


class Exchange:
    """Speaks to one platform in the name of one gateway."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.gateway = home.settings["gateway"]
        self.key = home.gateway_key

    def get(self, path: str) -> Answer:
        """A signed GET."""
        return self._ask("GET", path, b"", hashlib.sha256(b"").hexdigest(), 0)

    def post(self, path: str, said: Any) -> Answer:
        """A signed POST of the canonical bytes of `said`."""
        body = canonical(said)
        return self._ask("POST", path, body, hashlib.sha256(body).hexdigest(), len(body))

    def put(self, path: str, file: Path, sha256: str, size: int) -> Answer:
        """A signed PUT that streams a file whose digest and size are known."""
        with file.open("rb") as body:
            return self._ask("PUT", path, body, sha256, size)

    def _ask(self, method: str, path: str, body: bytes | BinaryIO, sha256: str, size: int) -> Answer:
        at = clock.now()
        signed = envelope.sign_request(private_key=self.key, gateway=self.gateway, method=method, path=path, body_sha256=sha256, at=at)
        headers = signed | {"Content-Length": str(size), "Content-Type": "application/octet-stream", "User-Agent": SOFTWARE}
        try:
            with closing(self._connection()) as connection:
                connection.request(method, path, body=body, headers=headers)
                response = connection.getresponse()
                return Answer(response.status, _json(response.read(MAX_ANSWER)))
        except ssl.SSLError:
            raise PlatformUnreachable("tls") from None
        except (OSError, http.client.HTTPException) as error:
            raise PlatformUnreachable(type(error).__name__) from None

    def _connection(self) -> http.client.HTTPConnection:
        url = urlsplit(self.home.platform.url)
        if url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(url.hostname or "", url.port, timeout=SECONDS, context=context)
        return http.client.HTTPConnection(url.hostname or "", url.port, timeout=SECONDS)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
