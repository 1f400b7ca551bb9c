"""A browser without a screen for the edge's page: cookies, form tokens, and what was sent and shown."""

import html
import http.cookiejar
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Page:
    """What came back."""

    status: int
    text: str
    headers: dict[str, str]
    url: str
    body: bytes

    def said(self) -> str:
        """The words of the page, without markup."""
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.text)).split())


class Browser:
    """One person's session at an edge."""

    def __init__(self, port: int, language: str = "en") -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.jar = http.cookiejar.CookieJar()
        self.language = language
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self._csrf = ""

    def get(self, path: str) -> Page:
        return self._ask(path)

    def post(self, path: str, fields: list[tuple[str, str]] | dict[str, str], *, csrf: str | None = None, **headers: str) -> Page:
        """Send a form with the token of the last page."""
        pairs = [*(fields.items() if isinstance(fields, dict) else fields), ("csrf", self._csrf if csrf is None else csrf)]
        return self._ask(path, urllib.parse.urlencode(pairs).encode(), headers)

    def upload(self, path: str, name: str, data: bytes) -> Page:
        """Send a file with the token of the last page."""
        mark = secrets.token_hex(16)
        head = f'--{mark}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{self._csrf}\r\n--{mark}\r\n'
        head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        body = head.encode() + data + f"\r\n--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return self._ask(path, body, headers)

    def sign_in(self, passcode: str, initials: str = "ZS") -> Page:
        self.get("/sign-in")
        return self.post("/sign-in", {"passcode": passcode, "initials": initials})

    def take(self, text: str) -> Page:
        """Paste a list, and take in every row that is offered."""
        self.get("/list")
        return self.take_as_shown(self.post("/list/read", {"text": text}))

    def take_as_shown(self, review: Page) -> Page:
        """Press the button of the page that shows which rows are new."""
        form = review.text[review.text.index('action="/list/take"') :]
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
        fields = [(name, html.unescape(value)) for name, value in hidden if name != "csrf"]
        return self.post("/list/take", [*fields, *(("take", place) for place in re.findall(r'name="take" value="(\d+)"', form))])

    def _ask(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Page:
        request = urllib.request.Request(self.base + path, body, headers or {})  # noqa: S310 - always http to this machine
        request.add_header("Accept-Language", self.language)
        try:
            response: Any = self._opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            body = response.read()
            text = body.decode(errors="replace")
            if token := re.search(r'name="csrf" value="(\w*)"', text):
                self._csrf = token[1]
            return Page(response.status, text, dict(response.headers), response.url, body)
