"""The association history in words: what became of a call, why, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from imaging.edge.words import Sentence

REJECTED = {
    "1/1/3": "Calling AE {calling} from {ip} is not listed. If it is a PACS of this hospital, list it under Peers with this address.",
    "1/1/7": "{calling} called AE {called}; this edge is {ours}. Have the called AE title corrected at the sender.",
    "2/3/2": "Too many associations at once, or the disk failed; the sender will try again. Look at the overview.",
    "2/3/1": "This edge was busy for a moment; the sender will try again.",
}
WHY = {
    "certificate-of-another": "The certificate of {calling} from {ip} is not the one that was trusted for it. Compare it: edge tls list.",
    "must-use-tls": "{calling} has a certificate, but called without TLS. Have it use the TLS port.",
    "plain-from-outside": "{calling} from {ip} called without TLS from outside the hospital's network. Trust its certificate: edge tls.",
}
ANSWERS = {
    "0x0000": "{count} taken.",
    "0x0117": "{count} refused: the image's number is malformed; have the sender repair it.",
    "0xA700": "{count} refused: the disk is at its reserve; make room, then send again.",
    "0xA701": "{count} refused: the disk failed; check it, restart the edge, then send again.",
    "0xC211": "{count} refused by a fault of this edge; its log has the kind of fault.",
}
ENDS = {
    "aborted": "The sender broke it off.",
    "lost": "The connection was lost; the sender will send again what was not answered.",
    "slow": "It was ended because it sent too slowly; check the network and send again.",
    "idle": "It was ended because nothing came for a minute.",
    "deadline": "It was ended because it did not say in time what it wants.",
    "pdu-length": "It was ended because a message was longer than agreed; this is no well-behaved DICOM sender.",
    "object-size": "It was ended because an image was larger than 1 GiB.",
    "objects": "It was ended after 100,000 images; the sender must begin another one.",
    "crowded-out": "It was ended to make room for others before it had said what it wants.",
    "stopped": "It was ended because this edge was stopped; the sender will send again.",
    "fault": "It was ended by a fault of this edge; its log has the kind of fault.",
    "tls": "The encrypted connection could not be agreed on; compare certificates and protocol versions.",
}
UNDERSTOOD = ("malformed", "pdu-type", "context", "command-size")
COMMITTED = "It asked what is held: {held} of its images, {failed} not."
NO_DICOM = "It was ended because it did not speak DICOM as agreed; this may be another program, or a port scan."


def explained(entry: Mapping[str, Any], ours: str) -> list[Sentence]:
    """What a line of the history means; `ours` is this edge's AE title."""
    values = {"calling": entry.get("calling") or "?", "called": entry.get("called") or "?", "ip": entry.get("ip") or "?", "ours": ours}
    reason = str(entry.get("reason", ""))
    if entry.get("what") == "rejected":
        code = "/".join(reason.split("/")[:3])
        if (why := WHY.get(str(entry.get("why", "")))) is not None:
            return [Sentence(why, values)]
        return [Sentence(REJECTED.get(code, "Turned away with the code {reason}."), values | {"reason": reason})]
    if entry.get("what") == "committed":
        return [Sentence(COMMITTED, {"held": entry.get("held", 0), "failed": entry.get("failed", 0)})]
    said = [Sentence(ANSWERS.get(code, "{count} answered {code}."), {"count": count, "code": code}) for code, count in _answers(entry)]
    how = str(entry.get("how", reason))
    if how not in ("", "released"):
        code = "tls" if how.startswith("tls-") else how
        text = NO_DICOM if code in UNDERSTOOD else ENDS.get(code, "It ended with the code {reason}.")
        said.append(Sentence(text, values | {"reason": how}))
    return said or [Sentence("Nothing was sent." if entry.get("what") == "ended" else "An association began.")]


def _answers(entry: Mapping[str, Any]) -> list[tuple[str, int]]:
    return sorted((str(code), int(count)) for code, count in (entry.get("answers") or {}).items())
