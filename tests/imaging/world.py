"""A small study with two centers, their gateways and keys, and de-identified CT series written in code."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK as sitk
from django.conf import settings
from django.test import Client
from django.utils import timezone
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from accounts.models import User
from accounts.people import create_user
from imaging import gateways
from imaging.edge import envelope, keys
from imaging.edge.package import seal_package
from imaging.edge.rules import RULES_SHA256
from imaging.models import Gateway
from prime_platform.demo import papers
from studies import consent, enrollment, screening, setup
from studies.models import Center, Participant, Study
from studies.vocabulary import Phase, Role
from tests import replay

TODAY = date.today()  # noqa: DTZ011 - the study's own today is the local one
OPENED = TODAY - timedelta(days=100)
SURGERY = TODAY - timedelta(days=20)
SCANNED = (SURGERY - timedelta(days=9)).strftime("%Y%m%d")
ANSWERS = {
    "histology_hcc": "yes", "r0_resection": "yes", "he_slide_qualified": "yes", "baseline_complete": "yes", "imaging_phases": "yes",
    "imaging_quality": "yes", "imaging_date": (SURGERY - timedelta(days=9)).isoformat(), "prior_therapy": "no",
    "prior_baseline_available": "yes", "other_malignancy": "no",
}  # fmt: skip


@dataclass
class World:
    """Study, centers 01 and 02, a coordinator at each, and what each gateway needs to speak."""

    study: Study
    centers: dict[str, Center]
    coordinators: dict[str, User]
    seeds: dict[str, bytes]
    gateways: dict[str, Gateway]
    package_key: bytes
    public: dict[str, bytes]
    seq: int = 0

    def enrol(self, center: str = "01") -> Participant:
        """One more participant, enrolled as the study does it."""
        by = self.coordinators[center]
        line = screening.screen(center=self.centers[center], surgery_date=SURGERY, age_at_surgery=58, sex="M", answers=ANSWERS, by=by)
        consent.record(screening=line, form_version="2.1", signed_on=SURGERY, by=by)
        return enrollment.enroll(screening=line, by=by)

    def seal(self, number: str, files: Sequence[bytes], center: str = "01", **changes: Any) -> tuple[str, bytes]:
        """A package of DICOM files for a study number, as (id, ciphertext); `changes` replace fields of the manifest."""
        self.seq += 1
        manifest = {
            "v": 1, "study": self.study.code, "center": center, "gateway": self.gateways[center].code, "software": "prime-edge 0.1",
            "seq": self.seq, "made_at": "2026-03-02T08:15:30Z", "study_number": number, "approval": "2026-001",
            "rules_sha256": RULES_SHA256, **({} if "objects" in changes else manifest_of(files)), **changes,
        }  # fmt: skip
        folder = Path(settings.VAR) / f"outbox-{self.seq}"
        folder.mkdir()
        objects = {}
        for data in files:
            objects[hashlib.sha256(data).hexdigest()] = path = folder / hashlib.sha256(data).hexdigest()
            path.write_bytes(data)
        out = io.BytesIO()
        identity = seal_package(
            manifest=manifest,
            objects=objects,
            signing_key=self.seeds[center],
            package_key=keys.package_public_bytes(self.package_key),
            out=out,
        )
        return identity, out.getvalue()

    def send(self, method: str, address: str, body: bytes = b"", center: str = "01", **changes: Any) -> Any:
        """A signed request of a center's gateway to the site; `changes` replace arguments of the signature."""
        signed = {
            "private_key": self.seeds[center], "gateway": self.gateways[center].code, "method": method, "path": address,
            "body_sha256": hashlib.sha256(body).hexdigest(), "at": timezone.now(), **changes,
        }  # fmt: skip
        headers = envelope.sign_request(**signed)
        return Client().generic(method, address, body, content_type="application/octet-stream", headers=headers)

    def put(self, sealed: tuple[str, bytes], center: str = "01") -> Any:
        """Hand a sealed package in at the door."""
        return self.send("PUT", envelope.PACKAGE_PATH.format(id=sealed[0]), sealed[1], center)

    def receipt(self, identity: str, center: str = "01") -> envelope.Receipt:
        """The verified last receipt of a package."""
        answer = self.send("GET", envelope.RECEIPT_PATH.format(id=identity), center=center)
        assert answer.status_code == 200, answer.content
        return envelope.verify_receipt(
            answer.json(), package=identity, stored_key=self.public["stored"], archived_key=self.public["archived"]
        )


def build(code: str = "PRIME-T1") -> World:
    """Make the world in the current database and its keys under settings.VAR."""
    world = replay.once(("imaging", code), lambda: _rows(code))
    world.package_key, world.public = _platform_keys()
    return world


def _rows(code: str) -> World:
    system = User.objects.system()
    study = setup.create_study(
        code=code, title_zh="测试", title_en="Test", protocol_id="hcc_adjuvant", accrual_from=TODAY - timedelta(days=100), synthetic=True,
        by=system,
    )  # fmt: skip
    added = {
        name: setup.add_center(study=study, code=name, name_zh=f"医院{name}", name_en=f"Hospital {name}", by=system)
        for name in ("01", "02")
    }
    coordinators = {name: member(study, f"coordinator-{code}-{name}", Role.COORDINATOR, center) for name, center in added.items()}
    centers = {name: _open(center, system) for name, center in added.items()}
    study = setup.advance_phase(study=study, to=Phase.ACCRUAL, by=system)
    for center in centers.values():
        center.study = study
    seeds = {name: keys.new_signing_key() for name in centers}
    doors = {name: gateways.register(study=study, document=document(name, seeds[name]), by=system) for name in centers}
    return World(study, centers, coordinators, seeds, doors, b"", {})


def document(center: str, seed: bytes) -> dict[str, Any]:
    """What an edge's `init` hands to the platform."""
    public = keys.signing_public(seed)
    code = envelope.gateway_id(center, public)
    return {"v": 1, "center": center, "gateway": code, "public_key": keys.to_text(public), "software": "prime-edge 0.1"}


def member(study: Study, username: str, role: str, center: Center | None = None) -> User:
    """A person with one role."""
    system = User.objects.system()
    user = create_user(username=username, display_name=username, password="a long enough sentence", by=system, language="en")
    setup.add_member(study=study, user=user, role=role, center=center, since=OPENED, by=system, delegated=True)
    return user


def _open(center: Center, system: User) -> Center:
    member(center.study, f"pi-{center.study.code}-{center.code}", Role.SITE_PI, center)
    papers.file_all(center, since=OPENED, until=TODAY + timedelta(days=300), by=system)
    return setup.open_center(center=center, on=OPENED, by=system)


def _platform_keys() -> tuple[bytes, dict[str, bytes]]:
    package, stored, archived = keys.new_package_key(), keys.new_signing_key(), keys.new_signing_key()
    base = Path(settings.VAR) / "keys"
    for name in ("web", "worker"):
        (base / name).mkdir(parents=True)
    keys.write_key(base / "web" / "receipt-stored.key", stored)
    keys.write_key(base / "worker" / "receipt-archived.key", archived)
    keys.write_key(base / "worker" / "package.key", package)
    return package, {"stored": keys.signing_public(stored), "archived": keys.signing_public(archived)}


def manifest_of(files: Sequence[bytes]) -> dict[str, Any]:
    """The part of a manifest that lists series and objects."""
    objects, series = [], {}
    for data in files:
        dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        objects.append({
            "sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "sop_class": str(dataset.SOPClassUID),
            "sop_uid": str(dataset.SOPInstanceUID), "series_uid": str(dataset.SeriesInstanceUID),
        })  # fmt: skip
        name = str(dataset.SeriesInstanceUID)
        entry = series.setdefault(name, {"uid": name, "modality": str(dataset.Modality), "count": 0})
        entry["count"] += 1
    return {"series": list(series.values()), "objects": objects}


def uid(*parts: object) -> str:
    """A keyed-looking UID that is the same for the same parts."""
    return f"2.25.{int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:16], 'big')}"


@dataclass(frozen=True)
class Look:
    """What a series of `ct_series` looks like; `change` alters the dataset of slice i, `keep` leaves slices out."""

    name: str = "portal"
    slices: int = 12
    spacing: float = 2.5
    description: str = "portal_venous axial"
    acquired: str = "101500"
    agent: str = "iodinated"
    size: int = 32
    keep: Callable[[int], bool] = lambda i: True
    change: Callable[[Dataset, int], None] = lambda dataset, i: None


def ct_series(number: str, **look: Any) -> list[bytes]:
    """A de-identified axial CT series of a phantom, one file per slice, feet first; keywords are the fields of Look."""
    chosen = Look(**look)
    return [_written(_ct(number, i, chosen)) for i in range(chosen.slices) if chosen.keep(i)]


def _ct(number: str, i: int, look: Look) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.Modality = CTImageStorage, "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid(number, "study"), uid(number, look.name)
    dataset.SOPInstanceUID, dataset.FrameOfReferenceUID = uid(number, look.name, i), uid(number, "frame")
    dataset.PatientName = dataset.PatientID = number
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", "prime-edge"
    dataset.StudyDate, dataset.AcquisitionTime, dataset.AcquisitionNumber = SCANNED, look.acquired, 1
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.SeriesDescription = 3, i + 1, look.description
    dataset.ContrastBolusAgent, dataset.Manufacturer, dataset.KVP = look.agent, "SIEMENS", "120"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-16, -16, round(i * look.spacing, 3)]
    dataset.PixelSpacing, dataset.SliceThickness = [1, 1], look.spacing
    _set_pixels(dataset, look.size, i)
    look.change(dataset, i)
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _set_pixels(dataset: Dataset, size: int, i: int) -> None:
    """60 HU everywhere, brighter from slice to slice in the upper left quarter, air in the last row."""
    dataset.Rows = dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    pixels = np.full((size, size), 1024 + 60, dtype=np.int16)
    pixels[: size // 2, : size // 2] = 1024 + 60 + i
    pixels[-1] = 0
    dataset.add_new("PixelData", "OW", pixels.tobytes())


def _written(dataset: FileDataset) -> bytes:
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def voxels_of(mask: sitk.Image) -> npt.NDArray[np.uint8]:
    """A mask as an array (slices, rows, columns)."""
    return np.asarray(sitk.GetArrayFromImage(mask), dtype=np.uint8)
