"""The DICOM conformance statement (after PS3.2), written from the tables that the listener decides by. `edge conformance` prints it."""

from pydicom.uid import UID

from imaging.edge import frames
from imaging.edge.dicom.limits import Limits
from imaging.edge.dicom.negotiation import COMMITMENT, LITTLE_ENDIAN, STANDARD_STORAGE, TRANSFER_SYNTAXES, VERIFICATION, supported
from imaging.edge.part10 import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from imaging.edge.rules import CT_MR_CLASSES, OUTLINE_CLASSES

FIND, MOVE = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.2"  # study root, as `imaging.edge.pull` asks

HEAD = """# DICOM conformance statement of the hospital edge

Written by `python -m imaging.edge conformance`; do not edit. For administrators of PACS and modalities. How to set the edge up is in
[edge.md](edge.md).

## 1. What it is

A Storage SCP for one research study. It takes what its listed peers send, keeps CT and MR images of the study's participants and
discards what the study does not use, so that one export of a mixed study is all success at the sender. It is no archive for patient
care: **a sender never deletes originals because this edge has a copy.** It offers no query, no retrieval, no printing and no worklist.
"""

ASSOCIATIONS = """
## 2. Associations

| | |
|---|---|
| application context | 1.2.840.10008.3.1.1.1 |
| implementation class UID, version name | {uid}, {version} |
| roles | acceptor; requestor for what section 3 says is asked for |
| called AE title | as configured (`PRIME_DICOM_AET`); another one is rejected |
| calling AE title | must be a listed peer's, from an address listed for it |
| associations at once | {associations} |
| longest PDU received | {pdu} bytes |
| asynchronous operations, extended negotiation, user identity | not negotiated |
| role selection | the default roles |

Limits, beyond which an association is aborted (A-ABORT, source 2): {association:g} s from the connection to the A-ASSOCIATE-RQ, of
which {handshake:g} s for TLS; an A-ASSOCIATE-RQ of {request} bytes; {idle:g} s between messages; {slowest} bytes a second over {slow:g}
s within a message; a dataset of {object} bytes; {objects} instances.

| situation | A-ASSOCIATE-RJ (result/source/reason) |
|---|---|
| calling AE title or address not listed, or TLS required and not used | 1/1/3 |
| called AE title | 1/1/7 |
| application context | 1/1/2 |
| protocol version | 1/2/2 |
| no place for one more association, or the disk failed | 2/3/2 |
"""

SERVICES = """
## 3. Services

| SOP class | UID | transfer syntaxes |
|---|---|---|
| Verification | {verification} | {plain} |
| Storage Commitment Push Model | {commitment} | {plain} |
| {count} storage classes of section 5 | | all of section 4 |
| any other class below {storage} or of a maker's own | | all of section 4 |

Of the transfer syntaxes proposed in a presentation context the first of section 4 is accepted.

C-STORE answers

| status | meaning | afterwards |
|---|---|---|
| 0x0000 | the content is synced to the disk, under a name that was synced before | held, or discarded by rule after it was counted |
| 0x0117 | the affected SOP class or instance UID is malformed | nothing kept |
| 0x0122 | the presentation context is not one of storage | nothing kept |
| 0xA700 | no room above the disk's reserve | nothing kept; send again later |
| 0xA701 | the disk failed | nothing kept; associations are rejected until the edge is restarted |
| 0xC211 | any other fault of the edge | nothing kept |

Warnings (0xBxxx) are never answered. There is no Error Comment. Other operations are answered 0x0211. A dataset is not read before it
is answered; one that is unreadable, or of a patient who is not in the study, is held for a person at the edge. The same instance sent
again is answered 0x0000.

Storage commitment: an N-ACTION (type 1) is answered on receipt and the N-EVENT-REPORT follows **on the same association**, after every
instance was read from the disk again and its hash compared. Event type 1: all are held. Event type 2: the failed ones have reason
0x0112 (not here, such as what was discarded by rule), 0x0119 (here as another class) or 0x0110 (not as it came). An instance that the
platform has archived, by its signed receipt, is held.

As a user (SCU), from a port of its own choice and under the same AE title, when a person runs `edge pull` or tries a peer:

| SOP class | UID | what is asked |
|---|---|---|
| Verification | {verification} | C-ECHO |
| Study Root Query/Retrieve, FIND | {find} | studies by Patient ID and Study Date; their series by Study Instance UID |
| Study Root Query/Retrieve, MOVE | {move} | one series at a time to this edge; the whole study where series are not told apart |

Keys asked for: Study Instance UID, Modalities in Study; Series Instance UID, Modality. One association for each question.

Security: plaintext from listed addresses inside the hospital only; TLS 1.2 and 1.3 with BCP 195 ciphers on a second port, the sender's
certificate bound to its AE title and addresses. Character sets: any; names and ids are read as ISO_IR 192, GB18030, GBK or Latin-1.
"""


def statement() -> str:
    """The whole statement as Markdown."""
    limits = Limits()
    classes = sorted((_name(one.abstract_syntax), str(one.abstract_syntax)) for one in supported(True)[2:])
    syntaxes = "\n".join(f"| {_name(uid)} | {uid} | {_lossy(uid)} |" for uid in TRANSFER_SYNTAXES)
    listed = "\n".join(f"| {name} | {uid} | {'kept' if uid in CT_MR_CLASSES or uid in OUTLINE_CLASSES else ''} |" for name, uid in classes)
    return "".join(
        (
            HEAD,
            ASSOCIATIONS.format(
                uid=IMPLEMENTATION_UID,
                version=IMPLEMENTATION_VERSION,
                associations=limits.associations,
                pdu=limits.data_pdu,
                association=limits.association_seconds,
                handshake=limits.handshake_seconds,
                request=limits.association_pdu,
                idle=limits.idle_seconds,
                slowest=limits.slowest,
                slow=limits.slow_seconds,
                object=limits.object_bytes,
                objects=limits.objects,
            ),
            SERVICES.format(
                verification=VERIFICATION,
                find=FIND,
                move=MOVE,
                commitment=COMMITMENT,
                count=len(classes),
                storage=STANDARD_STORAGE.rstrip("."),
                plain=", ".join(_name(uid) for uid in LITTLE_ENDIAN),
            ),
            "\n## 4. Transfer syntaxes, in order of preference\n\n| name | UID | |\n|---|---|---|\n",
            syntaxes,
            "\n\nNeither deflated nor big endian. Compressed pixel data are kept as they came.\n",
            "\n## 5. Storage classes\n\nAll are accepted; `kept` are the study's, others, and classes in no list, are discarded by rule\n",
            "or held for a person.\n\n",
            "| name | UID | |\n|---|---|---|\n",
            listed,
            "\n",
        )
    )


def _name(uid: object) -> str:
    return UID(str(uid)).name


def _lossy(uid: str) -> str:
    return "lossy: flagged, not measured" if uid in frames.LOSSY else ""
