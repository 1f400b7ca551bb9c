"""Storage commitment as SCP (PS3.4 annex J): the N-ACTION's dataset, and the N-EVENT-REPORT on the same association.

What the edge holds is asked of a `Custodian`; nothing here knows where.
"""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from imaging.edge.dicom import commands
from imaging.edge.dicom.commands import UID, Command
from imaging.edge.dicom.negotiation import COMMITMENT, Context

INSTANCE = "1.2.840.10008.1.20.1.1"  # the well-known instance, PS3.4 §J.3.5
IMPLICIT = "1.2.840.10008.1.2"
SUCCESS, NO_SUCH_INSTANCE, INVALID_ARGUMENT, NO_SUCH_CLASS, NO_SUCH_ACTION = 0x0000, 0x0112, 0x0115, 0x0118, 0x0123
ALL_HELD, SOME_FAILED = 1, 2
MOST = 20_000

Reference = tuple[str, str]  # SOP Class UID, SOP Instance UID


class Malformed(Exception):
    """Bytes that ask for no commitment."""


@dataclass(frozen=True)
class Asked:
    """A transaction and the instances that it asks about."""

    transaction: str
    references: list[Reference]


@dataclass(frozen=True)
class Judged:
    """What is held, and why the rest is not: 0x0112 not here, 0x0119 here as another class, 0x0110 not as it came."""

    held: list[Reference]
    failed: dict[Reference, int]


class Custodian(Protocol):
    """Knows what the edge holds."""

    def asked(self, data: bytes, *, implicit: bool) -> Asked | None:
        """What a dataset asks; None when it cannot be read."""

    def judged(self, asked: Asked) -> Judged:
        """Every instance that is asked about, read again and hashed again."""


@dataclass
class Request:
    """An N-ACTION's dataset: `answer` is its status; where that is success, `report` follows the response."""

    custodian: Custodian
    command: Command
    context: Context
    data: bytearray = field(default_factory=bytearray)
    understood: Asked | None = None

    def take(self, fragment: memoryview) -> None:
        """Keep the next fragment (a list of UIDs)."""
        self.data += fragment

    def answer(self) -> int:
        """Whether this is a request that a report can follow."""
        if {commands.uid(self.command, commands.REQUESTED_CLASS), self.context.abstract_syntax} != {COMMITMENT}:
            return NO_SUCH_CLASS
        if commands.uid(self.command, commands.REQUESTED_INSTANCE) != INSTANCE:
            return NO_SUCH_INSTANCE
        if commands.number(self.command, commands.ACTION_TYPE) != 1:
            return NO_SUCH_ACTION
        self.understood = self.custodian.asked(bytes(self.data), implicit=self.implicit)
        return INVALID_ARGUMENT if self.understood is None else SUCCESS

    def drop(self) -> None:
        """Nothing is kept."""

    @property
    def implicit(self) -> bool:
        """Whether the context's datasets are in implicit VR."""
        return self.context.transfer_syntax == IMPLICIT

    def report(self, message_id: int) -> tuple[bytes, bytes, Judged]:
        """The N-EVENT-REPORT's command set and dataset, and what they say."""
        assert self.understood is not None  # noqa: S101 - asked for after a success only
        judged = self.custodian.judged(self.understood)
        command = commands.encode(
            [
                (commands.AFFECTED_CLASS, COMMITMENT),
                (commands.FIELD, commands.N_EVENT_REPORT),
                (commands.MESSAGE_ID, message_id),
                (commands.DATASET_TYPE, 0),
                (commands.AFFECTED_INSTANCE, INSTANCE),
                (commands.EVENT_TYPE, SOME_FAILED if judged.failed else ALL_HELD),
            ]
        )
        return command, encoded(self.understood.transaction, judged, implicit=self.implicit), judged


def parse(data: bytes, implicit: bool) -> Asked:
    """Read an N-ACTION's dataset; run in the limited process. Malformed when it is not a transaction and well-formed UIDs."""
    dataset = read_dataset(BytesIO(data), implicit, True)
    items = dataset.get("ReferencedSOPSequence") or []
    references = [(str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)) for item in items]
    uids = [str(dataset.TransactionUID), *(uid for reference in references for uid in reference)]
    if not 1 <= len(references) <= MOST or not all(UID.fullmatch(uid) for uid in uids):
        raise Malformed
    return Asked(uids[0], list(dict.fromkeys(references)))


def encoded(transaction: str, judged: Judged, *, implicit: bool) -> bytes:
    """An N-EVENT-REPORT's dataset (PS3.4 table J.3-2)."""
    said = Dataset()
    said.TransactionUID = transaction
    if judged.held:
        said.ReferencedSOPSequence = Sequence(_item(reference) for reference in judged.held)
    if judged.failed:
        said.FailedSOPSequence = Sequence(_item(reference, reason) for reference, reason in judged.failed.items())
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, implicit
    write_dataset(out, said)
    return out.getvalue()


def _item(reference: Reference, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    if reason is not None:
        item.FailureReason = reason
    return item
