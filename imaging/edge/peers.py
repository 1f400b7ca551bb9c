"""Who may send to this edge: a calling AE title together with the addresses it sends from (NW-04).

A JSON file beside the database, replaced as a whole, so that the listener needs nothing but it and the disk. An AE title
alone is never identity: a peer without addresses may send from this machine only.
"""

import ipaddress
import json
import re
from pathlib import Path

from imaging.edge.spool import write_durably

LOOPBACK = ("127.0.0.1", "::1")
_AE_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")  # PS3.5 §6.2: 16 characters, no backslash


class PeerFault(Exception):
    """What was asked about a peer cannot be; the sentence says why."""


def read(path: Path) -> dict[str, list[str]]:
    """AE title → addresses or networks; empty when no peer was ever added."""
    if not path.exists():
        return {}
    peers: dict[str, list[str]] = json.loads(path.read_bytes())
    return peers


def is_known(path: Path, ae_title: str, address: str) -> bool:
    """Whether a sender of this AE title may call from this address."""
    caller = ipaddress.ip_address(address)
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped:
        caller = caller.ipv4_mapped
    return any(caller in ipaddress.ip_network(listed) for listed in read(path).get(ae_title, []))


def add(path: Path, *, ae_title: str, addresses: list[str]) -> dict[str, list[str]]:
    """List a peer with its addresses (loopback when none are given), replacing what was listed for its AE title."""
    if not _AE_TITLE.fullmatch(ae_title):
        raise PeerFault("An AE title has 1 to 16 printable ASCII characters, without a backslash.")
    try:
        listed = [str(ipaddress.ip_network(address)) for address in addresses or LOOPBACK]
    except ValueError:
        raise PeerFault("An address looks like 10.1.2.3, 10.1.2.0/24 or fd00::1.") from None
    return _replace(path, read(path) | {ae_title: listed})


def remove(path: Path, *, ae_title: str) -> dict[str, list[str]]:
    """Take a peer off the list; PeerFault when it is not on it."""
    peers = read(path)
    if peers.pop(ae_title, None) is None:
        raise PeerFault(f"{ae_title} is not a listed peer.")
    return _replace(path, peers)


def _replace(path: Path, peers: dict[str, list[str]]) -> dict[str, list[str]]:
    path.with_name(path.name + ".part").unlink(missing_ok=True)
    write_durably(path, [json.dumps(peers, indent=1, sort_keys=True).encode()])
    return peers
