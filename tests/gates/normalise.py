"""The closed list of what may differ between two worlds. Everything else that differs is a leak.

1. Form tokens, session and form cookies: drawn at random for each visit; name, length and every attribute are compared.
2. The random part of a form's row token (32 characters).
3. Free bytes of the disk in `/readyz`.
4. The secret that a person is shown while setting up a second factor (20 bytes in Base32): drawn at random for each person.
5. The digest of a file of an archive, in the same archive: it is said by the file itself.
6. Digests that differ because another model was registered and other nonces drawn: the model's, its report's, a seal's ciphertext,
   wraps and payload, a ledger row's commitment and head. Only these very values, whole (64 hexadecimal digits), only for the roles
   that may see the ledger or the registry, each replaced by what it is the digest of, so that a swap shows.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from http.cookies import SimpleCookie

TOKENS = (
    (re.compile(rb'(name="csrfmiddlewaretoken" value=")[A-Za-z0-9]{64}(")'), rb"\1<form token>\2"),
    (re.compile(rb'(value="page-)[A-Za-z0-9]{32}(")'), rb"\1<row token>\2"),
    (re.compile(rb'(id="secret">)[A-Z2-7]{4}(?: [A-Z2-7]{4}){7}(</code>)'), rb"\1<secret>\2"),
    (re.compile(rb"(otpauth://totp/[^\s\"]*\?secret=)[A-Z2-7]{32}(&amp;issuer=PRIME)"), rb"\1<secret>\2"),
    (re.compile(rb'("disk": \{"free": )[0-9]+(, )'), rb"\1<free>\2"),
)
COOKIES = {"prime_csrf": re.compile(r"[A-Za-z0-9]{32}"), "prime_session": re.compile(r"[a-z0-9]{32}")}
DIGEST = re.compile(rb"\b[0-9a-f]{64}\b")
MAY_SEE_DIGESTS = frozenset({"ledger.view", "seal.view", "model.view", "blinding.view"})
MAY_SEE_HEADS = frozenset({"receipt.view"})
"""A site keeps heads, which name no row; of the other digests it may see none."""
ZIP = b"PK\x03\x04"
Known = Mapping[str, str]
"""Digest in hexadecimal digits → whose it is."""


def body(said: bytes, digests: Known) -> bytes:
    """A response's body with what may differ replaced; `digests` is empty for a role that may see none."""
    if said.startswith(ZIP):
        return _archive(said, digests)
    for pattern, fixed in TOKENS:
        said = pattern.sub(fixed, said)
    return DIGEST.sub(lambda found: f"<{digests[found[0].decode()]}>".encode() if found[0].decode() in digests else found[0], said)


def _archive(said: bytes, digests: Known) -> bytes:
    """Every file of an archive in order, under its name, as `body` leaves it; how they are packed follows from them."""
    with zipfile.ZipFile(io.BytesIO(said)) as packed:
        files = {each.filename: packed.read(each) for each in packed.infolist()}
    known = {**digests, **{hashlib.sha256(content).hexdigest(): f"digest of {name}" for name, content in files.items()}}
    return b"\n".join(name.encode() + b"\n" + body(content, known) for name, content in files.items())


def headers(said: Mapping[str, str], length: int) -> tuple[tuple[str, str], ...]:
    """Every header; a Content-Length that is the true `length` of the body is said by the body itself."""
    true = {"content-length": str(length)} if length else {}
    return tuple(sorted((name.lower(), value) for name, value in said.items() if true.get(name.lower()) != value))


def cookies(jar: SimpleCookie) -> tuple[str, ...]:
    """Every cookie set, with all its attributes; value and expiry of the known two are checked for format and left out."""
    shown = []
    for name, morsel in sorted(jar.items()):
        value, rest = morsel.value, {key: part for key, part in morsel.items() if part}
        if name in COOKIES and COOKIES[name].fullmatch(value):
            value = "<random>"
            rest.pop("expires", None)
        shown.append(f"{name}={value}; {sorted(rest.items())}")
    return tuple(shown)
