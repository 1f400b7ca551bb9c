"""The edge tests its own door as a PACS would: an echo, and a report that the study discards by rule, over a real association.

It calls as a peer of its own that is listed for this machine's address only while the test runs. Nothing of it reaches a package.
"""

import uuid
from dataclasses import dataclass

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, sop_class

from imaging.edge import nodes, peers
from imaging.edge.home import Home

CALLER = "PRIME-SELFTEST"
REPORT_CLASS = "1.2.840.10008.5.1.4.1.1.88.11"  # Basic Text SR: taken and discarded by rule


@dataclass(frozen=True)
class Tested:
    """What our own listener answered: each is true or false; `store` is the status of the C-STORE."""

    associated: bool
    echoed: bool = False
    store: int = -1

    @property
    def passed(self) -> bool:
        """Whether a sender would find everything in order."""
        return self.associated and self.echoed and self.store == 0


def run(home: Home, *, address: str, port: int, ae_title: str) -> Tested:
    """Call our own listener at `address` and `port`."""
    nodes.quiet()
    peers.add(home.peers, ae_title=CALLER, addresses=[address] if address not in ("0.0.0.0", "::") else [])  # noqa: S104 - compared, not bound
    try:
        return _call("127.0.0.1" if address == "0.0.0.0" else address, port, ae_title)  # noqa: S104
    finally:
        peers.remove(home.peers, ae_title=CALLER)


def _call(address: str, port: int, ae_title: str) -> Tested:
    ae = AE(ae_title=CALLER)
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = nodes.SECONDS
    ae.add_requested_context(sop_class.Verification)  # type: ignore[attr-defined]
    ae.add_requested_context(REPORT_CLASS, ExplicitVRLittleEndian)
    association = ae.associate(address, port, ae_title=ae_title)
    if not association.is_established:
        return Tested(associated=False)
    try:
        echoed = association.send_c_echo().get("Status") == 0
        store = association.send_c_store(_report()).get("Status", -1)
    finally:
        association.release()
    return Tested(True, echoed, store)


def _report() -> Dataset:
    report = Dataset()
    report.SOPClassUID, report.SOPInstanceUID = REPORT_CLASS, f"2.25.{uuid.uuid4().int}"
    report.StudyInstanceUID = report.SeriesInstanceUID = f"2.25.{uuid.uuid4().int}"
    report.Modality, report.PatientID, report.PatientName = "SR", "SELFTEST", "SELFTEST"
    report.file_meta = FileMetaDataset()
    report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    report.file_meta.MediaStorageSOPClassUID, report.file_meta.MediaStorageSOPInstanceUID = report.SOPClassUID, report.SOPInstanceUID
    return report
