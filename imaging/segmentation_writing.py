"""An outline as a DICOM Segmentation object (PS3.3 A.51), to be opened in a viewer together with the images it was drawn on. Pure.

One binary segment; only slices that mark anything are written, each with its place and the image that it lies on. UIDs are made of what
they name, so that the same outline on the same images is the same object.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.uid import UID, ExplicitVRLittleEndian

from imaging.edge import part10
from imaging.outline_export import NO_DAY
from imaging.volumes import Volume

SOP_CLASS = UID("1.2.840.10008.5.1.4.1.1.66.4")
MAKER, MODEL = "PRIME", "prime-platform"


@dataclass(frozen=True)
class Said:
    """What stands in the object besides the voxels: who drew it, and the program that helped, if one did."""

    reader: str
    algorithm: str = ""


def write(mask: sitk.Image, volume: Volume, first: Dataset, said: Said) -> bytes:
    """The object as a file. `mask` has label 1 on the grid of `volume`; `first` is the header of any image of the series."""
    voxels = np.asarray(sitk.GetArrayFromImage(mask) == 1, dtype=np.bool_)
    slices = [int(k) for k in np.flatnonzero(voxels.any(axis=(1, 2)))]
    mark = hashlib.sha256(b"\0".join([volume.series.encode(), said.reader.encode(), np.packbits(voxels).tobytes()])).digest()
    written = Dataset()
    _describe(written, volume, first, said, mark)
    _segment(written, said)
    written.FrameOfReferenceUID, written.PositionReferenceIndicator = volume.frame_of_reference, ""
    _dimensions(written, _uid(mark, "dimensions"))
    _place(written, volume, mask, slices, image_class=str(first.SOPClassUID))
    written.Rows, written.Columns, written.NumberOfFrames = voxels.shape[1], voxels.shape[2], len(slices)
    written.add_new("PixelData", "OB", pack_bits(voxels[slices].astype(np.uint8)))
    return _file(written)


def _describe(written: Dataset, volume: Volume, first: Dataset, said: Said, mark: bytes) -> None:
    written.SOPClassUID, written.SOPInstanceUID = SOP_CLASS, _uid(mark, "instance")
    for name in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyTime"):
        setattr(written, name, first.get(name, ""))
    written.PatientBirthDate = written.ReferringPhysicianName = written.StudyID = written.AccessionNumber = ""
    written.StudyDate = written.ContentDate = NO_DAY  # set by `imaging.outline_export` when it leaves
    written.ContentTime = "000000"
    written.PatientIdentityRemoved, written.DeidentificationMethod = "YES", f"{MODEL} export"
    written.LongitudinalTemporalInformationModified = "MODIFIED"
    written.Modality, written.SeriesInstanceUID, written.SeriesNumber, written.InstanceNumber = "SEG", _uid(mark, "series"), 1000, 1
    written.SeriesDescription = "tumour outline"
    written.Manufacturer, written.ManufacturerModelName, written.DeviceSerialNumber, written.SoftwareVersions = MAKER, MODEL, "0", "1"
    written.ImageType = ["DERIVED", "PRIMARY"]
    written.SamplesPerPixel, written.PhotometricInterpretation, written.PixelRepresentation = 1, "MONOCHROME2", 0
    written.BitsAllocated = written.BitsStored = 1
    written.HighBit, written.LossyImageCompression = 0, first.get("LossyImageCompression", "00")
    if written.LossyImageCompression == "01":
        written.LossyImageCompressionRatio = first.get("LossyImageCompressionRatio", "1")
        written.LossyImageCompressionMethod = first.get("LossyImageCompressionMethod", "ISO_10918_1")
    written.SegmentationType, written.SegmentsOverlap = "BINARY", "NO"
    written.ContentLabel, written.ContentDescription, written.ContentCreatorName = "TUMOUR", "Outline of the tumour", said.reader


def _segment(written: Dataset, said: Said) -> None:
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel = 1, "Tumour"
    segment.SegmentAlgorithmType = "SEMIAUTOMATIC" if said.algorithm else "MANUAL"
    if said.algorithm:
        segment.SegmentAlgorithmName = said.algorithm
    segment.SegmentedPropertyCategoryCodeSequence = [_code("49755003", "SCT", "Morphologically Abnormal Structure")]
    segment.SegmentedPropertyTypeCodeSequence = [_code("86049000", "SCT", "Malignant neoplasm, primary")]
    segment.AnatomicRegionSequence = [_code("10200004", "SCT", "Liver")]
    written.SegmentSequence = [segment]


def _dimensions(written: Dataset, uid: UID) -> None:
    organization = Dataset()
    organization.DimensionOrganizationUID = uid
    written.DimensionOrganizationSequence = [organization]
    written.DimensionIndexSequence = [
        _dimension(uid, 0x0062000B, 0x0062000A, "Segment Number"),
        _dimension(uid, 0x00200032, 0x00209113, "Image Position Patient"),
    ]


def _place(written: Dataset, volume: Volume, mask: sitk.Image, slices: Sequence[int], *, image_class: str) -> None:
    written.SharedFunctionalGroupsSequence = [_shared(mask)]
    written.PerFrameFunctionalGroupsSequence = [
        _frame(mask, k, place, volume.instances[k], image_class) for place, k in enumerate(slices, start=1)
    ]
    series = Dataset()
    series.SeriesInstanceUID = volume.series
    series.ReferencedInstanceSequence = [_image(volume.instances[k], image_class) for k in slices]
    written.ReferencedSeriesSequence = [series]


def _shared(mask: sitk.Image) -> Dataset:
    across, down, between = mask.GetSpacing()
    axes = np.array(mask.GetDirection()).reshape(3, 3)
    orientation, measures, segment = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [_decimal(number) for number in (*axes[:, 0], *axes[:, 1])]
    measures.PixelSpacing = [_decimal(down), _decimal(across)]
    measures.SliceThickness = measures.SpacingBetweenSlices = _decimal(between)
    segment.ReferencedSegmentNumber = 1
    shared = Dataset()
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.SegmentIdentificationSequence = [segment]
    return shared


def _frame(mask: sitk.Image, k: int, place: int, uid: str, image_class: str) -> Dataset:
    content, position, derivation, frame = Dataset(), Dataset(), Dataset(), Dataset()
    content.DimensionIndexValues = [1, place]
    position.ImagePositionPatient = [_decimal(number) for number in mask.TransformIndexToPhysicalPoint((0, 0, k))]
    source = _image(uid, image_class)
    source.PurposeOfReferenceCodeSequence = [_code("121322", "DCM", "Source image for image processing operation")]
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [_code("113076", "DCM", "Segmentation")]
    frame.FrameContentSequence, frame.PlanePositionSequence, frame.DerivationImageSequence = [content], [position], [derivation]
    return frame


def _dimension(organization: str, pointer: int, group: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID, item.DimensionIndexPointer, item.FunctionalGroupPointer = organization, pointer, group
    item.DimensionDescriptionLabel = label
    return item


def _image(uid: str, image_class: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image_class, uid
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _uid(mark: bytes, what: str) -> UID:
    return UID(f"2.25.{int.from_bytes(hashlib.sha256(mark + what.encode()).digest()[:16])}")


def _decimal(number: float) -> str:
    """A DS of at most 16 characters that comes as near as it can (PS3.5 6.2)."""
    return str(pydicom.valuerep.format_number_as_ds(float(number)))


def _file(written: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SOP_CLASS, written.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(part10.IMPLEMENTATION_UID), part10.IMPLEMENTATION_VERSION
    written.file_meta, written.preamble = meta, bytes(128)
    out = BytesIO()
    pydicom.dcmwrite(out, written, enforce_file_format=True)
    return out.getvalue()
