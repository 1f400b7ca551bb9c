"""Who may send to this edge: a calling AE title together with the addresses it sends from (NW-04).

A JSON file beside the database, replaced as a whole, so that the listener needs nothing but it and the disk. An AE title
alone is never identity: a peer without addresses may send from this machine only.
"""

import fcntl
import ipaddress
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imaging.edge.durable import write_durably
from imaging.edge.words import Sentence

LOOPBACK = ("127.0.0.1", "::1")
_AE_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")  # PS3.5 §6.2: 16 characters, no backslash


class PeerFault(Exception):
    """What was asked about a peer cannot be; `sentence` says why, in the language of who asked."""

    def __init__(self, text: str, /, **values: object) -> None:
        self.sentence = Sentence(text, values)
        super().__init__(self.sentence.say("en"))


def read(path: Path) -> dict[str, list[str]]:
    """AE title → addresses or networks; empty when no peer was ever added."""
    if not path.exists():
        return {}
    peers: dict[str, list[str]] = json.loads(path.read_bytes())
    return peers


def is_known(path: Path, ae_title: str, address: str) -> bool:
    """Whether a sender of this AE title may call from this address."""
    caller = _address(address)
    return any(caller in ipaddress.ip_network(listed) for listed in read(path).get(ae_title, []))


def is_local(address: str) -> bool:
    """Whether an address belongs to a network that the internet does not route (RFC 1918, RFC 4193, loopback, link-local …)."""
    return not _address(address).is_global


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(text.partition("%")[0])
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def add(path: Path, *, ae_title: str, addresses: list[str]) -> dict[str, list[str]]:
    """List a peer with its addresses (loopback when none are given), replacing what was listed for its AE title."""
    if not _AE_TITLE.fullmatch(ae_title):
        raise PeerFault("An AE title has 1 to 16 printable ASCII characters, without a backslash.")
    try:
        listed = [str(ipaddress.ip_network(address)) for address in addresses or LOOPBACK]
    except ValueError:
        raise PeerFault("An address looks like 10.1.2.3, 10.1.2.0/24 or fd00::1.") from None
    with _alone(path):
        return _replace(path, read(path) | {ae_title: listed})


def remove(path: Path, *, ae_title: str) -> dict[str, list[str]]:
    """Take a peer off the list; PeerFault when it is not on it."""
    with _alone(path):
        peers = read(path)
        if peers.pop(ae_title, None) is None:
            raise PeerFault("{ae_title} is not a listed peer.", ae_title=ae_title)
        return _replace(path, peers)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One change of the list at a time: the page, a command and a self-test may come together."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, peers: dict[str, list[str]]) -> dict[str, list[str]]:
    path.with_name(path.name + ".part").unlink(missing_ok=True)
    write_durably(path, [json.dumps(peers, indent=1, sort_keys=True).encode()])
    return peers
