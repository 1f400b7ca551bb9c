"""What this edge agrees to with a sender (PS3.8 §7.1, PS3.7 annex D): object classes, transfer syntaxes and the longest PDU.

pynetdicom decodes and encodes the A-ASSOCIATE PDUs and decides each presentation context; nothing of it touches a connection here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from pynetdicom import AllStoragePresentationContexts, build_context
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from imaging.edge.dicom.commands import UID
from imaging.edge.part10 import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION

VERIFICATION, COMMITMENT = "1.2.840.10008.1.1", "1.2.840.10008.1.20.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
LITTLE_ENDIAN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
TRANSFER_SYNTAXES = [  # NW-03: neither deflated (a bomb) nor big endian
    "1.2.840.10008.1.2",  # implicit VR little endian
    "1.2.840.10008.1.2.1",  # explicit VR little endian
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline: lossy, flagged later
    "1.2.840.10008.1.2.4.51",  # JPEG extended
]
STANDARD, STANDARD_STORAGE = "1.2.840.10008.", "1.2.840.10008.5.1.4.1.1."
UNKNOWN_CALLER, UNKNOWN_CALLED, LOCAL_LIMIT = (1, 1, 3), (1, 1, 7), (2, 3, 2)  # PS3.8 §9.3.4
UNKNOWN_APPLICATION, UNKNOWN_PROTOCOL = (1, 1, 2), (1, 2, 2)


class Malformed(Exception):
    """Bytes that are no A-ASSOCIATE-RQ."""


@dataclass(frozen=True)
class Request:
    """Who asks for an association, whom it calls, and what it proposes."""

    caller: str
    called: str
    fault: tuple[int, int, int] | None
    """Why nobody could accept it: another protocol version or application context."""
    proposed: A_ASSOCIATE


@dataclass(frozen=True)
class Context:
    """What an accepted presentation context carries."""

    abstract_syntax: str
    transfer_syntax: str


@cache
def supported(commitment: bool) -> tuple[PresentationContext, ...]:
    """Every context that is always accepted: verification, the standard's storage classes and, where somebody answers it, commitment."""
    services = [build_context(VERIFICATION, list(LITTLE_ENDIAN))]
    services += [build_context(COMMITMENT, list(LITTLE_ENDIAN))] if commitment else []
    return (*services, *(build_context(one.abstract_syntax or "", TRANSFER_SYNTAXES) for one in AllStoragePresentationContexts))


def unlisted(proposed: Iterable[PresentationContext], commitment: bool) -> list[PresentationContext]:
    """Of what a sender proposes the storage classes in no list: retired or newer ones, and those of makers, which have UIDs of their own.

    One refused context can turn a hospital's whole export red; what comes over such a one is discarded by rule.
    """
    listed = {one.abstract_syntax for one in supported(commitment)}
    asked = {str(one.abstract_syntax) for one in proposed} - listed
    return [
        build_context(uid, TRANSFER_SYNTAXES)
        for uid in sorted(asked)
        if UID.fullmatch(uid) and (uid.startswith(STANDARD_STORAGE) or not uid.startswith(STANDARD))
    ]


def read(body: memoryview) -> Request:
    """Decode an A-ASSOCIATE-RQ's body; Malformed for whatever pynetdicom stumbles over in bytes of strangers."""
    try:
        pdu = A_ASSOCIATE_RQ()
        pdu.decode(b"\1\0" + len(body).to_bytes(4, "big") + bytes(body))
        proposed = pdu.to_primitive()
        caller, called = (str(title).strip() for title in (proposed.calling_ae_title, proposed.called_ae_title))
        contexts = proposed.presentation_context_definition_list
        if not contexts or not all(one.context_id and one.abstract_syntax and one.transfer_syntax for one in contexts):
            raise Malformed
        fault = None if proposed.application_context_name == APPLICATION_CONTEXT else UNKNOWN_APPLICATION
        return Request(caller, called, fault if int(pdu.protocol_version or 0) & 1 else UNKNOWN_PROTOCOL, proposed)
    except Exception:
        raise Malformed from None


def accept(request: Request, *, longest: int, commitment: bool) -> tuple[bytes, dict[int, Context]]:
    """The A-ASSOCIATE-AC, and what each accepted context carries."""
    asked: list[Any] = list(request.proposed.user_information)
    roles = {item.sop_class_uid: (item.scu_role, item.scp_role) for item in asked if isinstance(item, SCP_SCU_RoleSelectionNegotiation)}
    proposed = request.proposed.presentation_context_definition_list
    known = [*supported(commitment), *unlisted(proposed, commitment)]
    results, replies = negotiate_as_acceptor(proposed, known, cast(Any, roles))
    said = A_ASSOCIATE()
    said.application_context_name = APPLICATION_CONTEXT
    said.calling_ae_title, said.called_ae_title = request.proposed.calling_ae_title, request.proposed.called_ae_title
    said.result, said.result_source = 0, 1
    said.presentation_context_definition_results_list = results
    said.user_information = [*_ourselves(longest), *replies]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(said)
    accepted = {
        int(one.context_id or 0): Context(str(one.abstract_syntax), str(one.transfer_syntax[0])) for one in results if one.result == 0
    }
    return pdu.encode(), accepted


def reject(result: int, source: int, diagnostic: int) -> bytes:
    """The A-ASSOCIATE-RJ."""
    said = A_ASSOCIATE()
    said.result, said.result_source, said.diagnostic = result, source, diagnostic
    pdu = A_ASSOCIATE_RJ()
    pdu.from_primitive(said)
    return pdu.encode()


def _ourselves(longest: int) -> list[Any]:
    length, implementation, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    length.maximum_length_received = longest
    implementation.implementation_class_uid = IMPLEMENTATION_UID
    version.implementation_version_name = IMPLEMENTATION_VERSION
    return [length, implementation, version]
