"""CT phantoms of two contrast phases, computed, not scanned: an ellipse of a body, a liver, vessels, a tumour.

They carry an invented hospital number and name, so that the edge has something to take away.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROWS = COLUMNS = 144
SLICES = 32
PIXEL_MM, SLICE_MM = 2.4, 5.0
ROOT = "1.2.826.0.1.3680043.10.1492"  # any root will do: the edge replaces every UID
AIR, FAT, MUSCLE, BONE = -1000, -90, 55, 420


@dataclass(frozen=True)
class Phase:
    """How bright the enhancing parts are in one phase, in HU, and what a Chinese scanner would call the series."""

    number: int
    description: str
    seconds: int
    liver: int
    tumour: int
    aorta: int
    portal: int


PHASES = (
    Phase(2, "Abdomen 5.0 动脉期 Arterial", 35, liver=72, tumour=128, aorta=310, portal=95),
    Phase(3, "Abdomen 5.0 门静脉期 Portal venous", 70, liver=118, tumour=84, aorta=165, portal=190),
)


def grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z, y, x of every voxel, each from −1 to 1, of shape (slices, rows, columns)."""
    z, y, x = np.meshgrid(np.linspace(-1, 1, SLICES), np.linspace(-1, 1, ROWS), np.linspace(-1, 1, COLUMNS), indexing="ij")
    return z, y, x


def liver() -> np.ndarray:
    """Where the liver is, as a boolean array."""
    z, y, x = grid()
    return np.asarray(((x + 0.30) / 0.46) ** 2 + ((y + 0.02) / 0.40) ** 2 + (z / 0.85) ** 2 < 1)


def tumour(patient: int) -> np.ndarray:
    """Where the tumour of a patient is, as a boolean array inside the liver."""
    z, y, x = grid()
    shift = 0.06 * patient
    inside = ((x + 0.42 - shift) / 0.13) ** 2 + ((y + 0.08 + shift / 2) / 0.12) ** 2 + ((z + 0.15) / 0.28) ** 2 < 1
    return np.asarray(inside & liver())


def origin(index: int) -> tuple[float, float, float]:
    """The position of a slice's first voxel in the patient, in mm."""
    return (-COLUMNS * PIXEL_MM / 2, -ROWS * PIXEL_MM / 2, index * SLICE_MM)


def volume(phase: Phase, patient: int) -> np.ndarray:
    """One phase as int16 HU of shape (slices, rows, columns); `patient` moves the tumour and seeds the noise."""
    z, y, x = grid()
    hu = np.full(z.shape, AIR, dtype=np.float32)
    hu[x**2 / 0.78 + y**2 / 0.46 < 1] = FAT
    hu[x**2 / 0.70 + y**2 / 0.39 < 1] = MUSCLE
    hu[x**2 / 0.012 + (y - 0.42) ** 2 / 0.012 < 1] = BONE
    hu[liver()] = phase.liver
    hu[(x + 0.02) ** 2 + (y - 0.24) ** 2 < 0.0042] = phase.aorta
    hu[liver() & ((y + 0.02 + 0.2 * (x + 0.3)) ** 2 + (z - 0.1) ** 2 < 0.004)] = phase.portal
    hu[tumour(patient)] = phase.tumour
    noise = np.random.default_rng([patient, phase.number]).normal(0, 9, hu.shape)
    return (hu + noise).clip(-1024, 3071).astype(np.int16)


def objects(patient: int, local_id: str, scanned_on: date) -> Iterator[Dataset]:
    """The CT image objects of both phases of one patient (1, 2, 3 …), with the identity a hospital's PACS would send."""
    for phase in PHASES:
        for index, plane in enumerate(volume(phase, patient)):
            yield _object(plane, index=index, phase=phase, patient=patient, local_id=local_id, scanned_on=scanned_on)


def _object(plane: np.ndarray, *, index: int, phase: Phase, patient: int, local_id: str, scanned_on: date) -> Dataset:
    data = Dataset()
    study = f"{ROOT}.{patient}"
    data.SpecificCharacterSet = "GB18030"
    data.PatientID, data.PatientName, data.PatientBirthDate, data.PatientSex = local_id, f"体模^{patient}", "19600101", "O"
    data.StudyInstanceUID, data.SeriesInstanceUID = study, f"{study}.{phase.number}"
    data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, f"{study}.{phase.number}.{index + 1}"
    data.FrameOfReferenceUID = f"{study}.9"
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "CT", "PRIME", "Phantom"
    data.SoftwareVersions, data.ConvolutionKernel = "1", "B30f"
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = scanned_on.strftime("%Y%m%d")
    data.StudyTime, data.AcquisitionTime = "090000", f"0910{phase.seconds % 60:02d}"
    data.SeriesDescription, data.BodyPartExamined = phase.description, "ABDOMEN"
    data.ContrastBolusAgent, data.InstitutionName, data.AccessionNumber = "iohexol", "Demo Hospital", f"ACC{patient}"
    data.SeriesNumber, data.AcquisitionNumber, data.InstanceNumber = phase.number, phase.number, index + 1
    data.ImageType, data.KVP, data.SliceThickness = ["ORIGINAL", "PRIMARY", "AXIAL"], 120, SLICE_MM
    _geometry(data, index)
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "HU"
    data.PixelData = plane.tobytes()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def _geometry(data: Dataset, index: int) -> None:
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = list(origin(index))
    data.PixelSpacing, data.Rows, data.Columns = [PIXEL_MM, PIXEL_MM], ROWS, COLUMNS
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 1
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
