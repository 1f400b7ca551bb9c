"""Where other DICOM nodes listen: the address that this edge calls for an echo or a pull. Who may call us is `peers`, another list.

A JSON file beside it, replaced as a whole.
"""

import json
import logging
import re
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from pynetdicom import AE, sop_class

from imaging.edge.durable import write_durably
from imaging.edge.peers import PeerFault

SECONDS = 10
MOST_PORT = 65_535
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.\-:]{0,253}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Node:
    """A DICOM node's host name or address, and its port."""

    host: str
    port: int


def read(path: Path) -> dict[str, Node]:
    """AE title → where it listens."""
    return {title: Node(**said) for title, said in json.loads(path.read_bytes()).items()} if path.exists() else {}


def put(path: Path, *, ae_title: str, host: str, port: str) -> Node:
    """Write down where a node listens. Raises PeerFault for what is no host or port."""
    if not _HOST.fullmatch(host.strip()) or not port.strip().isascii() or not port.strip().isdigit() or not 0 < int(port) <= MOST_PORT:
        raise PeerFault("The address to call is a host name or IP address and a port between 1 and 65535.")
    node = Node(host.strip(), int(port))
    _replace(path, read(path) | {ae_title: node})
    return node


def drop(path: Path, *, ae_title: str) -> None:
    """Forget where a node listens; nothing happens when nobody knew."""
    known = read(path)
    if known.pop(ae_title, None) is not None:
        _replace(path, known)


def echo(node: Node, *, calling: str, called: str) -> str:
    """Ask a node whether it is there: `ok`, or a code for what stands in the way (`words_of`)."""
    quiet()
    if not reachable(node):
        return "no-connection"
    ae = AE(ae_title=calling)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = SECONDS
    ae.add_requested_context(sop_class.Verification)  # type: ignore[attr-defined]
    association = ae.associate(node.host, node.port, ae_title=called)
    if association.is_rejected:
        answer = association.acceptor.primitive
        return f"rejected-{answer.result}-{answer.result_source}-{answer.diagnostic}" if answer is not None else "rejected"
    if not association.is_established:
        return "aborted"
    try:
        status = association.send_c_echo().get("Status")
    finally:
        association.release()
    return "ok" if status == 0 else "no-answer"


def reachable(node: Node) -> bool:
    """Whether anybody listens there."""
    try:
        socket.create_connection((node.host, node.port), timeout=SECONDS).close()
    except OSError:
        return False
    return True


def words_of(answer: str) -> str:
    """The sentence, for the catalogue, that says what an answer of `echo` means and what to do."""
    if answer.startswith("rejected"):
        return {
            "rejected-1-1-3": "The peer does not know our AE title {ours}: have it entered there.",
            "rejected-1-1-7": "The peer has another AE title than {peer}: ask its administrator.",
        }.get(answer, "The peer turned the association away ({answer}).")
    return {
        "ok": "{peer} answered the echo.",
        "no-connection": "Nobody answers at {host} port {port}: check address, port and firewall.",
        "aborted": "The peer broke the association off: it may want TLS, or this port may not be DICOM.",
    }.get(answer, "The peer accepted the association and did not answer the echo.")


def quiet() -> None:
    """Keep pynetdicom from logging identifiers and tracebacks."""
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)


def _replace(path: Path, nodes: dict[str, Node]) -> None:
    path.with_name(path.name + ".part").unlink(missing_ok=True)
    write_durably(path, [json.dumps({title: asdict(node) for title, node in nodes.items()}, indent=1, sort_keys=True).encode()])
