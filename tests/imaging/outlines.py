"""Segmentation objects and structure sets written in code, for a series of these tests."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pydicom
from django.core.files.uploadedfile import SimpleUploadedFile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import UID, ExplicitVRLittleEndian

SEG, RTSTRUCT = UID("1.2.840.10008.5.1.4.1.1.66.4"), UID("1.2.840.10008.5.1.4.1.1.481.3")
AXIAL = (1, 0, 0, 0, 1, 0)


def item(**values: Any) -> Dataset:
    """One item of a sequence."""
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def segmentation(
    segments: Mapping[int, np.ndarray], *, origin: Sequence[float] = (-16, -16, 0), spacing: Sequence[float] = (1, 1, 2.5),
    fractional: int = 0, sources: Sequence[str] = (), names: Mapping[int, str] | None = None,
) -> bytes:  # fmt: skip
    """A SEG of voxels (slices, rows, columns) per segment number: marked slices only, the last first; `sources` by slice."""
    frames, groups = [], []
    for number, voxels in segments.items():
        for k in reversed(np.flatnonzero(voxels.any(axis=(1, 2))).tolist()):
            frames.append(voxels[k])
            place = [origin[0], origin[1], origin[2] + k * spacing[2]]
            group = item(
                SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
                PlanePositionSequence=[item(ImagePositionPatient=place)],
            )
            if sources:
                group.DerivationImageSequence = [item(SourceImageSequence=[item(ReferencedSOPInstanceUID=sources[k])])]
            groups.append(group)
    names = names or {}
    made = item(
        SOPClassUID=SEG, SOPInstanceUID="1.2.3.9", Modality="SEG", PatientName="ZHANG^SAN", PatientID="H123456",
        SegmentationType="FRACTIONAL" if fractional else "BINARY", NumberOfFrames=len(frames), SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2", PixelRepresentation=0, Rows=frames[0].shape[0], Columns=frames[0].shape[1],
        SegmentSequence=[item(SegmentNumber=number, SegmentLabel=names.get(number, f"S{number}")) for number in segments],
        PerFrameFunctionalGroupsSequence=groups,
        SharedFunctionalGroupsSequence=[item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=list(AXIAL))],
            PixelMeasuresSequence=[item(PixelSpacing=[spacing[1], spacing[0]], SpacingBetweenSlices=spacing[2])],
        )],
    )  # fmt: skip
    made.BitsAllocated = made.BitsStored = 8 if fractional else 1
    made.HighBit = made.BitsStored - 1
    pixels = np.stack(frames).astype(np.uint8)
    if fractional:
        made.MaximumFractionalValue, made.SegmentationFractionalType = fractional, "PROBABILITY"
    made.add_new("PixelData", "OB", pixels.tobytes() if fractional else pack_bits(pixels))
    return _written(made)


def structure_set(
    regions: Mapping[int, Sequence[np.ndarray]], *, sources: Mapping[float, str] | None = None, kind: str = "CLOSED_PLANAR",
    names: Mapping[int, str] | None = None,
) -> bytes:  # fmt: skip
    """An RTSTRUCT of contours (n, 3) in mm per region number; `sources` names the image at a height."""
    sources, names = sources or {}, names or {}

    def contour(points: np.ndarray) -> Dataset:
        made = item(
            ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=[f"{number:.4f}" for number in points.ravel()]
        )
        if uid := sources.get(float(points[0, 2])):
            made.ContourImageSequence = [item(ReferencedSOPInstanceUID=uid)]
        return made

    drawn = {number: [contour(points) for points in contours] for number, contours in regions.items()}
    return _written(item(
        SOPClassUID=RTSTRUCT, SOPInstanceUID="1.2.3.8", Modality="RTSTRUCT", PatientName="ZHANG^SAN", PatientID="H123456",
        StructureSetROISequence=[item(ROINumber=number, ROIName=names.get(number, f"R{number}")) for number in regions],
        ROIContourSequence=[item(ReferencedROINumber=number, ContourSequence=contours) for number, contours in drawn.items()],
    ))  # fmt: skip


def sent(data: bytes, name: str = "outline.dcm") -> SimpleUploadedFile:
    """Bytes as a file of a form."""
    return SimpleUploadedFile(name, data)


def square(left: float, top: float, right: float, bottom: float, z: float) -> np.ndarray:
    """A closed contour in LPS mm."""
    return np.array([(left, top, z), (right, top, z), (right, bottom, z), (left, bottom, z)], dtype=float)


def uids(files: Sequence[bytes]) -> list[str]:
    """The SOP Instance UIDs of DICOM files."""
    return [str(pydicom.dcmread(io.BytesIO(data), specific_tags=["SOPInstanceUID"]).SOPInstanceUID) for data in files]


def _written(made: Dataset) -> bytes:
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    pydicom.dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()
