"""When pixels in space may be trusted: a DICOM series or file becomes a volume, and a mask is held against it.

Nothing here resamples. A series with a gap, a file without geometry and a mask on another grid are refused with a
sentence that says by how much. A volume's voxels are Hounsfield units for CT (DICOM PS3.3 C.11.1), its coordinates
the patient's LPS millimetres (C.7.6.2). Pure: no database, no settings, no Django.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.misc import is_dicom

from imaging.geometry import Geometry, Slice, Verdict, assess
from imaging.radiomics_grid import Alignment, alignment
from imaging.radiomics_refusal import Refused, Sentence

__all__ = [
    "Alignment",
    "Refused",
    "Sentence",
    "Volume",
    "VolumeRefused",
    "alignment",
    "read_folder",
    "read_image",
    "read_mask",
    "read_series",
]

FILES = (".nii", ".nii.gz", ".nrrd")
_UNEVEN, _UNEVEN_FLOOR = 0.05, 0.06  # of the spacing, and mm (positions are often rounded to 0.1 mm): how far one step may differ
_SQUARE = 1e-3  # how far the axes' cosines may be from right angles
_MOST_VOXELS = 2**28  # 512 × 512 × 1024


class VolumeRefused(Refused):
    """These files do not make one trustworthy volume."""


_NO_PIXELS = Sentence("no_pixels", "The pixels of an image are missing or cannot be decoded; it may be damaged.")
_UNFIT = {
    Verdict.LOCALIZER: Sentence("localizer", "These are localizer images, not a volume."),
    Verdict.NO_GEOMETRY: Sentence("no_geometry", "An image of this series does not say where it lies in the patient."),
    Verdict.MIXED_ORIENTATION: Sentence(
        "mixed_orientation", "The slices differ in orientation or frame of reference; they are not one volume."
    ),
    Verdict.MIXED_SPACING: Sentence("mixed_spacing", "The slices differ in size or pixel spacing; they are not one volume."),
    Verdict.SEVERAL_ACQUISITIONS: Sentence("acquisitions", "The series holds several acquisitions of the same region; give one of them."),
}


@dataclass(frozen=True)
class Volume:
    """A series as one image: voxels in HU (CT) or stored units, LPS millimetres, slices ascending along the normal.

    `instances` are the SOP Instance UIDs in slice order, so that slice k of `image` is `instances[k]`.
    """

    image: sitk.Image
    modality: str
    series: str
    frame_of_reference: str
    instances: tuple[str, ...]


def read_folder(folder: Path) -> Volume:
    """The one series whose DICOM images lie in `folder` (at any depth; other files and objects without pixels are passed over)."""
    return read_series([path for path in sorted(folder.rglob("*")) if path.is_file() and is_dicom(path) and _has_pixels(path)])


def read_series(sources: Sequence[Path | bytes]) -> Volume:
    """The volume of one single-frame series, given as paths or as the bytes of its objects, in any order.

    Integers stay integers (int16, or int32 beyond its range) when every rescale slope and intercept is one; otherwise
    voxels are float64. Raises VolumeRefused for what is not one evenly spaced, unsheared, complete stack.
    """
    datasets = [_read(source) for source in sources]
    _one_series(datasets)
    geometry = assess([_header(place, dataset) for place, dataset in enumerate(datasets)])
    spacing = _regular(geometry)
    stack = [datasets[int(key)] for key in geometry.order]
    image = sitk.GetImageFromArray(_voxels(stack))
    _place(image, stack, spacing)
    first = stack[0]
    return Volume(
        image=image,
        modality=str(first.get("Modality", "")),
        series=str(first.SeriesInstanceUID),
        frame_of_reference=str(first.get("FrameOfReferenceUID", "")),
        instances=tuple(str(dataset.SOPInstanceUID) for dataset in stack),
    )


def read_image(path: Path) -> sitk.Image:
    """The three-dimensional scalar image in a NIfTI or NRRD file."""
    if not path.name.lower().endswith(FILES):
        raise VolumeRefused(Sentence("format", "%(name)s is not a NIfTI or NRRD file (.nii, .nii.gz, .nrrd).", {"name": path.name}))
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise VolumeRefused(Sentence("unreadable", "%(name)s cannot be read as an image.", {"name": path.name})) from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3:
        text = "%(name)s has %(dimensions)d dimensions; a volume has 3."
        raise VolumeRefused(Sentence("dimensions", text, {"name": path.name, "dimensions": image.GetDimension()}))
    if image.GetNumberOfComponentsPerPixel() != 1:
        text = "%(name)s holds %(layers)d layers a voxel; save each segment as a file of its own."
        raise VolumeRefused(Sentence("layers", text, {"name": path.name, "layers": image.GetNumberOfComponentsPerPixel()}))
    _not_too_large(image.GetNumberOfPixels())
    return image


def read_mask(path: Path) -> sitk.Image:
    """The label map in a NIfTI or NRRD file, as unsigned 32-bit labels; 0 is background.

    Raises VolumeRefused for values that are no labels (negative, fractional, not finite).
    """
    image = read_image(path)
    values = np.unique(sitk.GetArrayViewFromImage(image))
    if not (np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all() and values[-1] < 2**32):
        text = "%(name)s is not a mask: labels are whole numbers from 0, its values run from %(lowest)s to %(highest)s."
        raise VolumeRefused(Sentence("labels", text, {"name": path.name, "lowest": f"{values[0]:g}", "highest": f"{values[-1]:g}"}))
    labels: sitk.Image = sitk.Cast(image, sitk.sitkUInt32)
    return labels


def _has_pixels(path: Path) -> bool:
    return "Rows" in pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows"])


def _read(source: Path | bytes) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(BytesIO(source) if isinstance(source, bytes) else source)
    except (InvalidDicomError, EOFError) as error:
        name = "An object" if isinstance(source, bytes) else source.name
        raise VolumeRefused(Sentence("not_dicom", "%(name)s is not a DICOM object.", {"name": name})) from error


def _one_series(datasets: Sequence[pydicom.Dataset]) -> None:
    series = {str(dataset.get("SeriesInstanceUID", "")) for dataset in datasets}
    if len(series) > 1:
        raise VolumeRefused(Sentence("series", "The files belong to %(series)d series; give one.", {"series": len(series)}))
    if len(datasets) < 2:
        text = "%(slices)d image(s) make no volume; at least 2 slices are needed."
        raise VolumeRefused(Sentence("slices", text, {"slices": len(datasets)}))
    if len({dataset.get("FrameOfReferenceUID") for dataset in datasets}) > 1:
        raise VolumeRefused(_UNFIT[Verdict.MIXED_ORIENTATION])
    for dataset in datasets:
        if "Rows" not in dataset or "Columns" not in dataset:
            raise VolumeRefused(_NO_PIXELS)
        if int(dataset.get("NumberOfFrames") or 1) > 1 or int(dataset.get("SamplesPerPixel") or 1) > 1:
            raise VolumeRefused(Sentence("frames", "An object holds several frames or colours; single-frame grey images are needed."))
        if dataset.get("Modality") == "CT" and dataset.get("RescaleIntercept") is None:
            raise VolumeRefused(Sentence("no_rescale", "A CT image has no rescale intercept, so its Hounsfield units are unknown."))
    _not_too_large(len(datasets) * int(datasets[0].Rows) * int(datasets[0].Columns))


def _not_too_large(voxels: int) -> None:
    if voxels > _MOST_VOXELS:
        text = "The image has %(voxels)d million voxels; at most %(most)d million are read."
        raise VolumeRefused(Sentence("too_large", text, {"voxels": voxels // 10**6, "most": _MOST_VOXELS // 10**6}))


def _header(place: int, dataset: pydicom.Dataset) -> Slice:
    def numbers(keyword: str) -> tuple[float, ...] | None:
        value = dataset.get(keyword)
        return None if value is None else tuple(float(number) for number in value)

    return Slice(
        key=str(place),
        orientation=numbers("ImageOrientationPatient"),
        position=numbers("ImagePositionPatient"),
        pixel_spacing=numbers("PixelSpacing"),
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        acquisition=str(dataset.get("AcquisitionNumber") or ""),
        localizer="LOCALIZER" in (dataset.get("ImageType") or ()),
    )


def _regular(geometry: Geometry) -> float:
    """The even slice spacing in mm of a stack that may be measured; VolumeRefused for any other."""
    if geometry.verdict in _UNFIT:
        raise VolumeRefused(_UNFIT[geometry.verdict])
    if geometry.duplicates or geometry.spacing is None:
        text = "%(slices)d slice(s) lie where another slice already lies; give each place once."
        raise VolumeRefused(Sentence("duplicate", text, {"slices": geometry.duplicates}))
    steps = np.diff(geometry.positions)
    worst = int(np.argmax(np.abs(steps - geometry.spacing)))
    if abs(steps[worst] - geometry.spacing) > max(_UNEVEN * geometry.spacing, _UNEVEN_FLOOR):
        text = "%(after).1f mm into the stack the step is %(step).2f mm, elsewhere %(usual).2f mm: slices are missing or uneven."
        after = geometry.positions[worst] - geometry.positions[0]
        raise VolumeRefused(Sentence("gap", text, {"step": float(steps[worst]), "usual": geometry.spacing, "after": after}))
    return (geometry.positions[-1] - geometry.positions[0]) / (geometry.count - 1)


def _place(image: sitk.Image, stack: Sequence[pydicom.Dataset], spacing: float) -> None:
    """Give the voxels their grid (DICOM PS3.3 C.7.6.2.1.1); VolumeRefused if the slices are shifted sideways."""
    cosines = np.array(stack[0].ImageOrientationPatient, dtype=float)
    axes = np.stack([cosines[:3], cosines[3:], np.cross(cosines[:3], cosines[3:])], axis=1)
    if np.abs(axes.T @ axes - np.eye(3)).max() > _SQUARE:
        raise VolumeRefused(Sentence("skewed_axes", "The image axes are not at right angles."))
    row_step, column_step = (float(number) for number in stack[0].PixelSpacing)
    positions = np.array([dataset.ImagePositionPatient for dataset in stack], dtype=float)
    wander = float(np.ptp((positions @ axes)[:, :2], axis=0).max())
    if wander > min(row_step, column_step) / 2:
        text = "The slices are shifted sideways by %(mm).1f mm against each other (a tilted gantry); the volume would be sheared."
        raise VolumeRefused(Sentence("sheared", text, {"mm": wander}))
    image.SetOrigin(positions[0].tolist())
    image.SetSpacing((column_step, row_step, spacing))
    image.SetDirection(axes.ravel().tolist())


def _voxels(datasets: Sequence[pydicom.Dataset]) -> NDArray[Any]:
    rescale = [(float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)) for dataset in datasets]
    whole = all(slope.is_integer() and intercept.is_integer() for slope, intercept in rescale)
    kind = np.int32 if whole else np.float64
    values = np.empty((len(datasets), int(datasets[0].Rows), int(datasets[0].Columns)), dtype=kind)
    for place, (dataset, (slope, intercept)) in enumerate(zip(datasets, rescale, strict=True)):
        values[place] = _pixels(dataset).astype(kind)
        values[place] *= kind(slope)
        values[place] += kind(intercept)
    small = np.iinfo(np.int16)
    return values.astype(np.int16) if whole and small.min <= values.min() and values.max() <= small.max else values


def _pixels(dataset: pydicom.Dataset) -> NDArray[Any]:
    try:
        return np.asarray(dataset.pixel_array)
    except (AttributeError, RuntimeError, ValueError) as error:  # what pydicom raises for pixels that are missing, damaged or unknown
        raise VolumeRefused(_NO_PIXELS) from error
