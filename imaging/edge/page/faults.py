"""The faults of a running edge in plain words: which part, what is wrong, what to do."""

from imaging.edge.words import Sentence

PARTS = {
    "work": "Taking in and packing",
    "forward": "Sending packages",
    "screening": "Sending the operating list",
    "heartbeat": "Telling the platform that this edge lives",
    "beat": "Telling the platform that this edge lives",
}
CODES = {
    "ConnectionRefusedError": "Nobody answers at the platform's address; it may be down, or a firewall stands between.",
    "gaierror": "The platform's name is not known on this network; check its address and the name server.",
    "TimeoutError": "The platform did not answer in time; it is tried again.",
    "RemoteDisconnected": "The connection broke off; it goes on where it was cut.",
    "ConnectionResetError": "The connection broke off; it goes on where it was cut.",
    "tls": "The encrypted connection cannot be agreed on; check this machine's clock and the platform's certificate.",
    "http-401": "The platform does not know this gateway, or the clocks differ by more than five minutes.",
    "http-407": "The proxy asks for a name and a password; enter them in the proxy's address.",
    "http-409": "The platform cannot take this now; it is tried again.",
    "http-502": "The platform is being started or repaired; it is tried again.",
    "http-503": "The platform is being started or repaired; it is tried again.",
    "http-507": "The platform's disk is nearly full; tell its operator. Nothing is lost here.",
    "receipt-not-believed": "A receipt was not signed by the platform. Nothing is removed; tell the platform's operator.",
    "folder": "The exchange folder cannot be used; check that it is there and can be written to.",
    "OSError": "This machine's disk could not be read or written; check it.",
    "FileNotFoundError": "A file that should be here is missing; the log has more.",
    "OperationalError": "The edge's own database could not be used; check the disk.",
}


def explained(part: str, code: str) -> tuple[str, Sentence]:
    """The name of a part and the sentence for its fault, for the catalogue."""
    return PARTS.get(part, "Another part"), Sentence(CODES.get(code, "A fault of the kind {code}; it is tried again."), {"code": code})
